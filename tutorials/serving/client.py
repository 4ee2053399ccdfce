"""Ask a running TF Serving over gRPC for new digits: python client.py [HOST:PORT]. Needs neither tfvae nor Keras."""

import sys

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


def request(model: str, signature: str, **inputs: np.ndarray) -> predict_pb2.PredictRequest:
    """Return a request of a signature; NumPy's dtypes must be the signature's: float32 for x and z, else int32."""
    message = predict_pb2.PredictRequest()
    message.model_spec.name = model
    message.model_spec.signature_name = signature
    for name, value in inputs.items():
        message.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return message


def answers(response: predict_pb2.PredictResponse) -> dict[str, np.ndarray]:
    """Return the outputs of a response by name."""
    return {name: tf.make_ndarray(value) for name, value in response.outputs.items()}


def main(address: str = "localhost:8500", model: str = "vae_static_mnist") -> None:
    """Draw three digits and print how likely each is: its elbo, in nats."""
    with grpc.insecure_channel(address) as channel:
        ask = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
        seed = np.array([0, 0], np.int32)
        drawn = answers(ask(request(model, "generate", n=np.int32(3), seed=seed), timeout=10))
        x = np.round(drawn["x"])  # the model is of bits; a mean of at least 1/2 becomes a one
        scored = answers(ask(request(model, "elbo", x=x, seed=seed), timeout=10))
    for number, elbo in enumerate(scored["elbo"]):
        print(f"digit {number}: {int(x[number].sum())} bright pixels, elbo {elbo:.2f} nats")


if __name__ == "__main__":
    main(*sys.argv[1:])
