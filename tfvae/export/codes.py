"""Signatures of models with discrete latents: x to whole numbers, and back."""

import tensorflow as tf

from tfvae.distributions.codes import OnCodes
from tfvae.errors import ExportError
from tfvae.export.extras import Extra
from tfvae.export.inputs import encodable, or_nan
from tfvae.export.signature import Signature, signature
from tfvae.models.quantized import QuantizedVAE
from tfvae.models.variational import AbstractVAE


class Codes(Extra):
    """Signatures `encode_codes` and `decode_codes`: x to `codes`, int32 [B, M], and codes to the `mean` of p(x | z).

    The codes of an x that cannot be encoded are -1; the mean of codes out of range is NaN.

    Raises:
        ExportError: if the latents of the model are no codes.

    Example:
        >>> import tfvae
        >>> model = tfvae.zoo.fsq((8, 8, 1), latent_dim=2, units=(16, 16))
        >>> list(tfvae.export.Codes().signatures(model))
        ['encode_codes', 'decode_codes']
    """

    def signatures(self, model: AbstractVAE) -> dict[str, Signature]:
        if not isinstance(model, QuantizedVAE):
            raise ExportError(
                "Expected a tfvae.QuantizedVAE, to offer encode_codes and decode_codes. Received: a "
                f"{type(model).__name__} with posterior {model.fits.posterior}"
            )

        def encode_codes(x: tf.Tensor) -> dict:
            holds = tf.expand_dims(encodable(model, x), -1)  # [B, 1]
            return {"codes": tf.where(holds, model.encoder(x).codes, -1)}

        def decode_codes(codes: tf.Tensor) -> dict:
            p: OnCodes = model.prior()
            whole = tf.clip_by_value(codes, 0, p.quantizer.codes - 1)
            holds = tf.reduce_all(tf.equal(whole, codes), -1)  # [B]
            return or_nan(holds, {"mean": model.decoder(p.embed(whole)).mean()})

        return {
            "encode_codes": signature(model, encode_codes, "x"),
            "decode_codes": signature(model, decode_codes, "codes"),
        }
