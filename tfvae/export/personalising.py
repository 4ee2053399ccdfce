"""Signatures that adapt a model to one user where it runs, without a variable: the adapter goes in and comes out."""

from typing import NamedTuple

import keras
import tensorflow as tf
from tensorflow_probability import math as tfm

from tfvae.conditional import Conditional
from tfvae.errors import ExportError
from tfvae.export.extras import Extra, require_no_condition, require_rate
from tfvae.export.inputs import finite, noise, on_support, or_nan, single, supported
from tfvae.export.signature import Signature, signature
from tfvae.heads.base import Head
from tfvae.models.variational import AbstractVAE


class Personalise(Extra):
    """Signatures `personalise`, `decode_personalised`, `elbo_personalised`: a last bias of the decoder for one user.

        a <- a + lr grad_a 1/B sum_b log p(x_b | z_b, eta(z_b) + a),   z_b ~ q(z | x_b)

    The adapter a is added to the parameters eta of p(x | z), and begins at zero, where the model is as it was. Nothing
    is kept inside: `personalise` takes `x`, the `adapter`, the `learning_rate`, the number of `steps` and a `seed`, and
    returns the new `adapter` and the `elbo` of each example with it, [B]. One draw of z for each example serves all
    steps, for which the decoder's network runs once. Only the distortion depends on a, so that the gradient is that of
    the ELBO. From examples of which one is off the support comes an adapter of NaN; one of another size is refused.

    Raises:
        ExportError: if the decoder is not a network with a head of this library or p(x | z) has no mean in closed form,
            the model has no rate, or the posterior is sampled by TFP alone.

    Reference: E. Ben Zaken, S. Ravfogel and Y. Goldberg, "BitFit: Simple Parameter-efficient Fine-tuning for
    Transformer-based Masked Language-models", 2022, which trains biases alone, https://arxiv.org/abs/2106.10199.

    Example:
        >>> import tfvae
        >>> sorted(tfvae.export.Personalise().signatures(tfvae.zoo.vae((8, 8, 1), 2)))
        ['decode_personalised', 'elbo_personalised', 'personalise']
    """

    def signatures(self, model: AbstractVAE) -> dict[str, Signature]:
        require_rate(model, "personalise")
        require_no_condition(model, "personalise")
        if not isinstance(model.decoder, Conditional):
            raise ExportError(
                "Expected a decoder of a network and a head, whose last bias can be adapted, to offer personalise. "
                f"Received: {type(model.decoder).__name__}"
            )
        _require_mean(model)
        personal = _Personal(model, model.decoder.network, model.decoder.head)
        return {
            "personalise": signature(model, personal.adapt, "x", "adapter", "learning_rate", "steps", "seed"),
            "decode_personalised": signature(model, personal.decode, "z", "adapter"),
            "elbo_personalised": signature(model, personal.elbo, "x", "adapter", "seed"),
        }


def _require_mean(model: AbstractVAE) -> None:
    px = model.decoder(tf.zeros([1, model.fits.latent_dim], model.variable_dtype))
    try:
        px.mean()
    except NotImplementedError as error:
        raise ExportError(
            f"Expected a likelihood with a mean in closed form, to offer personalise. Received: {px.name}"
        ) from error


class _Personal(NamedTuple):
    """A model whose decoder takes an adapter."""

    model: AbstractVAE
    network: keras.Layer
    head: Head

    def decode(self, z: tf.Tensor, adapter: tf.Tensor) -> dict:
        mean = self.head.distribution(self._parameters(z) + self._whole(adapter)).mean()
        return or_nan(finite(z), {"mean": mean})

    def elbo(self, x: tf.Tensor, adapter: tf.Tensor, seed: tf.Tensor) -> dict:
        return self._bound(x, *self._drawn(x, seed), self._whole(adapter))

    def adapt(
        self, x: tf.Tensor, adapter: tf.Tensor, learning_rate: tf.Tensor, steps: tf.Tensor, seed: tf.Tensor
    ) -> dict:
        (eta, rate), examples = self._drawn(x, seed), tf.shape(x)[0]
        share, adapter = single(learning_rate) / tf.cast(tf.maximum(examples, 1), x.dtype), self._whole(adapter)

        def step(number: tf.Tensor, adapter: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            def add(which: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                return which + 1, total + _gradient(self.head, x[which], eta[which], adapter)

            begin = (tf.constant(0), tf.zeros_like(adapter))
            _, total = tf.while_loop(lambda which, _: which < examples, add, begin)
            return number + 1, adapter + share * total

        _, adapter = tf.while_loop(lambda number, _: number < steps, step, (tf.constant(0), adapter))
        adapter = tf.where(tf.reduce_all(supported(self.model, x)), adapter, tf.cast(float("nan"), x.dtype))
        return {"adapter": adapter[0], **self._bound(x, eta, rate, adapter)}

    def _whole(self, adapter: tf.Tensor) -> tf.Tensor:
        """Return an adapter as [1, *event[:-1], width]; a runtime refuses another size, which would be broadcast."""
        shape = [*self.model.fits.event_shape[:-1], self.head.width]
        return tf.reshape(tf.ensure_shape(adapter, shape), [1, *shape])

    def _parameters(self, z: tf.Tensor) -> tf.Tensor:
        return self.head.parameters(self.network(z))  # [B, *event[:-1], width]

    def _drawn(self, x: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        trace = self.model.trace(x, 1, noise(seed))
        return self._parameters(trace.z[0]), trace.rate

    def _bound(self, x: tf.Tensor, eta: tf.Tensor, rate: tf.Tensor, adapter: tf.Tensor) -> dict:
        log_px = self.head.distribution(eta + adapter).log_prob(x)
        return on_support(self.model, x, {"elbo": log_px - rate})  # [B]


def _gradient(head: Head, x: tf.Tensor, eta: tf.Tensor, adapter: tf.Tensor) -> tf.Tensor:
    """Return the gradient of log p(x | eta + adapter) for one example, whose shape is known.

    With a batch of unknown size the gradient of what is broadcast needs an operator that TFLite has not.
    """
    shifted = eta[None] + adapter  # [1, *event[:-1], width]
    _, gradient = tfm.value_and_gradient(lambda eta: head.distribution(eta).log_prob(x[None]), shifted)
    return gradient
