"""TF Serving: a numbered version of a model, with the requests that the server answers before it reports ready."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.errors import ExportError, positive_int
from tfvae.export.extras import Extra
from tfvae.export.formats import saved_model
from tfvae.export.signatures import refusals, signatures
from tfvae.export.verification import Parity, draws, saved_model_runner
from tfvae.files import replacing
from tfvae.models.variational import AbstractVAE

WARM_UP = Path("assets.extra", "tf_serving_warmup_requests")
"""Where in a SavedModel's folder TF Serving looks for requests."""
_MOST = 1000  # with more the server refuses the model


class Request(NamedTuple):
    """One call of a signature."""

    signature: str
    """Name of the signature."""
    inputs: Mapping[str, np.ndarray]
    """Name of an input to its value."""


def serving(
    model: AbstractVAE,
    folder: str | Path,
    version: int = 1,
    without: Collection[str] = (),
    *,
    extras: Sequence[Extra] = (),
) -> Parity:
    """Write a new version of a model where TF Serving looks for it, FOLDER/VERSION, warm-up requests included.

    A server that watches the folder sees the version whole or not at all.

    Args:
        model: a model of the library.
        folder: the model's folder, whose name the server's clients say.
        version: a number that the folder does not hold yet: a server does not load a number twice.
        without: names of signatures to leave out; for a server that batches, `unbatchable(model, extras)`.
        extras: signatures beyond the six that every export has, such as `[export.Score()]`.

    Returns:
        The largest differences from the Keras model, a `Parity`.

    Raises:
        ExportError: as `saved_model` does, and if there is such a version already; nothing is left behind.
        ValueError: if `version` is no positive whole number.

    Example:
        >>> import tempfile, tfvae
        >>> model, folder = tfvae.zoo.vae((8, 8, 1), latent_dim=2, units=(16,)), tempfile.mkdtemp() + "/digits"
        >>> tfvae.export.serving(model, folder, without=tfvae.export.unbatchable(model)).worst < 1e-4
        True
    """
    target = Path(folder, str(positive_int("version", version)))
    if target.exists():
        raise ExportError(
            f"Expected a version that is not there yet, such as {next_version(target.parent)}. Received: {target}"
        )
    with replacing(target) as path:
        parity = saved_model(model, path, without, extras=extras)
        warm_up(path, requests(model, without, extras))
    return parity


def warm_up(folder: str | Path, requests: Sequence[Request]) -> None:
    """Give a SavedModel requests that TF Serving answers while it loads, so that no client waits for the first one.

    They replace older ones. Each is run first, because a server refuses a model that cannot answer one. A server with
    batching cannot answer the signatures that `unbatchable` names.

    Args:
        folder: folder of a SavedModel.
        requests: what to ask, such as `requests(model)`; at most 1000.

    Raises:
        ExportError: if there is no SavedModel, or it cannot answer a request; older requests are kept.
        ValueError: if there is no request or more than 1000.

    Example:
        >>> import tempfile, tfvae
        >>> model, folder = tfvae.zoo.vae((8, 8, 1), latent_dim=2, units=(16,)), tempfile.mkdtemp() + "/1"
        >>> parity = tfvae.export.saved_model(model, folder)
        >>> tfvae.export.warm_up(folder, tfvae.export.requests(model))
    """
    if not 1 <= len(requests) <= _MOST:
        raise ValueError(f"Expected 1 to {_MOST} requests. Received: {len(requests)} requests")
    run = saved_model_runner(Path(folder))
    for signature, inputs in requests:
        run(signature, dict(inputs))
    with replacing(Path(folder, WARM_UP)) as path, tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            writer.write(_prediction_log(request))


def requests(model: AbstractVAE, without: Collection[str] = (), extras: Sequence[Extra] = ()) -> list[Request]:
    """Return one realistic request for each signature: an example that the model drew itself, with a fixed seed.

    Args:
        model: a model of the library.
        without: names of signatures to leave out.
        extras: signatures that were added.

    Raises:
        ExportError: as `signatures` does.

    Example:
        >>> import tfvae
        >>> [request.signature for request in tfvae.export.requests(tfvae.zoo.vae((8, 8, 1), 2), without=["elbo"])]
        ['serving_default', 'encode', 'decode', 'generate', 'log_evidence']
    """
    x = draws(model, 0)
    return [
        Request(name, next(iter(signature.tried(x, 0))))
        for name, signature in signatures(model, without, extras).items()
    ]


def unbatchable(model: AbstractVAE, extras: Sequence[Extra] = ()) -> tuple[str, ...]:
    """Return the signatures that a server which batches cannot answer, and those that the model cannot offer.

    Such a server joins the requests of many clients along the first axis of every input. A count or a seed has no
    axis of examples, so it refuses those requests. To generate there, draw z of the prior and ask `decode`.

    Args:
        model: a model of the library.
        extras: signatures that are added.

    Example:
        >>> import tfvae
        >>> tfvae.export.unbatchable(tfvae.zoo.vae((8, 8, 1), 2))
        ('elbo', 'generate', 'log_evidence')
    """
    refused = refusals(model)
    alone = {
        name
        for name, signature in signatures(model, refused, extras).items()
        if any(spec.shape.rank == 0 or spec.shape[0] is not None for spec in signature.inputs.values())
    }
    return tuple(sorted(alone | set(refused)))


def next_version(folder: Path) -> int:
    """Return one more than the largest version in a folder, 1 if there is none."""
    held = folder.iterdir() if folder.is_dir() else ()
    return 1 + max((int(path.name) for path in held if path.name.isdecimal()), default=0)


def _prediction_log(request: Request) -> bytes:
    """Return tensorflow.serving.PredictionLog(predict_log=PredictLog(request=PredictRequest(...))) as bytes.

    Written by hand, three messages deep, so that exporting does not need tensorflow-serving-api, which clients use.
    """
    model_spec = _field(3, request.signature.encode())  # signature_name; the server knows the model's name
    predict = _field(1, model_spec)
    for key, value in request.inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        predict += _field(2, _field(1, key.encode()) + _field(2, tensor))  # an entry of the map of inputs
    return _field(6, _field(1, predict))


def _field(number: int, content: bytes) -> bytes:
    """One field of a protocol buffer that says its length: strings, maps and messages are such."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
