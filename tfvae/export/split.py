"""Parts of a TFLite file: the encoder where the data is made, the decoder where it is looked at."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tfvae.errors import ExportError
from tfvae.export.quantization_graph import Graph
from tfvae.export.quantization_measurement import offered
from tfvae.files import replacing

_ENCODES = ("encode", "encode_sample")
_DECODES = ("decode", "generate")


@dataclass(frozen=True)
class Part:
    """What was taken out of a TFLite file."""

    signatures: tuple[str, ...]
    """Names of the signatures, unchanged."""
    bytes: int
    """Size of the part."""
    bytes_whole: int
    """Size of the file that it was taken from."""


def encoder(source: str | Path, path: str | Path) -> Part:
    """Write a TFLite file that holds only what encodes, `encode` and, if it is there, `encode_sample`.

    Args:
        source: a TFLite file that `export.tflite` or `export.quantize` wrote.
        path: where to write; an older file there is replaced.

    Returns:
        A `Part`.

    Raises:
        ExportError: if the source is no TFLite file, or has no signature that encodes; nothing is left behind.

    Example:
        >>> import tempfile, tfvae
        >>> model, folder = tfvae.zoo.vae((8, 8, 1), latent_dim=2, units=(16,)), tempfile.mkdtemp()
        >>> parity = tfvae.export.tflite(model, folder + "/m.tflite", without=("log_evidence",))
        >>> tfvae.export.encoder(folder + "/m.tflite", folder + "/encoder.tflite").signatures
        ('encode',)
        >>> tfvae.export.decoder(folder + "/m.tflite", folder + "/decoder.tflite").signatures
        ('decode', 'generate')
    """
    return _extract(Path(source), path, _ENCODES)


def decoder(source: str | Path, path: str | Path) -> Part:
    """Write a TFLite file that holds only what decodes: `decode` and, if it is there, `generate`.

    Args:
        source: a TFLite file that `export.tflite` or `export.quantize` wrote.
        path: where to write; an older file there is replaced.

    Returns:
        A `Part`.

    Raises:
        ExportError: if the source is no TFLite file, or has no signature that decodes; nothing is left behind.

    Example:
        >>> import tempfile, tfvae
        >>> folder = tempfile.mkdtemp()
        >>> tfvae.export.decoder(folder + "/none.tflite", folder + "/decoder.tflite")
        Traceback (most recent call last):
        ...
        tfvae.errors.ExportError: Expected a TFLite file. Received: .../none.tflite, which cannot be read: ...
    """
    return _extract(Path(source), path, _DECODES)


def _extract(source: Path, path: str | Path, names: Collection[str]) -> Part:
    """Write the signatures of a file that are among the names, and nothing that only others need."""
    try:
        whole = source.read_bytes()
        known = offered(whole)
    except (OSError, ValueError) as error:
        raise ExportError(f"Expected a TFLite file. Received: {source}, which cannot be read: {error}") from error
    wanted = tuple(name for name in known if name in names)
    if not wanted:
        raise ExportError(f"Expected a file with one of {', '.join(names)}. Received: {source}, with {known}")
    graph = Graph(whole, {})
    graph.only(wanted)
    content = graph.content()
    with replacing(path) as target:
        target.write_bytes(content)
    return Part(wanted, len(content), len(whole))
