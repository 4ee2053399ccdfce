"""`tfvae export --split`: the encoder, the decoder, and the codec of what goes between them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tfvae.data import Splits
    from tfvae.export import LatentCodec
    from tfvae.models.variational import AbstractVAE


def split(model: "AbstractVAE", lite: Path, splits: "Splits", say: Callable[[str], object]) -> None:
    """Write model.encoder.tflite, model.decoder.tflite and model.codec.json beside model.tflite, and say so.

    A posterior without a density in real space has no codec; that of an older model then goes too.

    Args:
        model: the model of the file.
        lite: a TFLite file that `export.tflite` wrote.
        splits: the model's data, of which the codec measures the validation examples.
        say: where a line about each file goes.
    """
    from tfvae import export

    for part in (export.encoder, export.decoder):
        target = lite.with_suffix(f".{part.__name__}.tflite")
        made = part(lite, target)
        say(f"{target} holds {', '.join(made.signatures)}: {made.bytes:,} of {made.bytes_whole:,} bytes")
    target = lite.with_suffix(".codec.json")
    try:
        codec(model, splits).save(target)
    except ValueError as error:
        target.unlink(missing_ok=True)
        say(f"{target} is left out: {error}")
    else:
        say(f"wrote {target}, for export.LatentCodec.load")


def codec(model: "AbstractVAE", splits: "Splits") -> "LatentCodec":
    """Return the codec of a model's latents, from the validation examples.

    Its tables are the prior's where that is a standard normal, and those of the codes of the examples elsewhere.
    """
    from tfvae import export
    from tfvae.priors import StandardNormal

    marginals = export.PriorMarginals() if isinstance(model.prior, StandardNormal) else export.AggregateMarginals()
    return export.latent_codec(model, splits.array("validation"), marginals)
