"""The latent wire format: latent vectors as bytes, of about as many nats as the ELBO's rate.

A message is, in this order and with whole numbers little-endian:

    4  "TFVZ"               1  version, 1          2  D              4  number of vectors
    8  digest of the codec  4  length of the code  -  the code       4  CRC-32 of all before

The code holds z_1,1 .. z_1,D, z_2,1 .. as whole numbers k = round(z / step), each in its dimension's table of
frequencies. What a table does not hold is its last symbol, and then the four bytes of k itself.
"""

import hashlib
import json
import math
import struct
import zlib
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np

from tfvae.errors import ExportError
from tfvae.export.wire_coder import BITS, TOTAL, Decoder, encode
from tfvae.files import write_json

_HEADER = struct.Struct("<4sBHI8sI")
_MAGIC, _VERSION, _FORMAT = b"TFVZ", 1, "tfvae-latents"
_BYTES = tuple(range(0, TOTAL + 1, TOTAL // 256))  # the table of a byte, all alike


class LatentCodec:
    """Latent vectors to bytes and back: z_d becomes k_d step_d with k_d = round(z_d / step_d).

    Both sides need the same codec, as both need the same model: `save` it beside the decoder. Its frequencies are whole
    numbers, so that no rounding of either side can make them differ.

    Args:
        steps: the step of each dimension, [D].
        first: k of the first symbol of each table, [D].
        frequencies: for each dimension how often k = first, first + 1, .. occurs, of 65536, and last how often some
            other k; all positive.

    Raises:
        ValueError: if the parts do not fit each other.

    Example:
        >>> import numpy as np, tfvae
        >>> codec = tfvae.export.LatentCodec([0.5], [-1], [[20000, 25000, 20000, 536]])
        >>> message = codec.encode(np.array([[0.4], [-0.1], [7.0]]))
        >>> codec.decode(message)[:, 0].tolist()
        [0.5, 0.0, 7.0]
    """

    def __init__(self, steps: Sequence[float], first: Sequence[int], frequencies: Sequence[Sequence[int]]):
        self.steps = np.asarray(steps, np.float32)
        self.first = [int(k) for k in first]
        self.frequencies = [[int(count) for count in table] for table in frequencies]
        fits = self.steps.shape == (len(self.first),) == (len(self.frequencies),) and 0 < len(self.first) < 2**16
        if not fits or not np.all(np.isfinite(self.steps) & (self.steps > 0)):
            raise ValueError(
                "Expected a positive step, a first k and a table for each dimension. Received: "
                f"{self.steps.shape} steps, {len(self.first)} first and {len(self.frequencies)} tables"
            )
        if any(len(table) < 2 or min(table) < 1 or sum(table) != TOTAL for table in self.frequencies):
            raise ValueError(f"Expected positive frequencies of sum {TOTAL}. Received: {self.frequencies!r:.200}")
        self._starts = [tuple(accumulate(table, initial=0)) for table in self.frequencies]
        self._digest = hashlib.sha256(json.dumps(self._parts()).encode()).digest()[:8]

    @property
    def latent_dim(self) -> int:
        """Length D of z."""
        return len(self.first)

    def codes(self, z: np.ndarray) -> np.ndarray:
        """Return k = round(z / step), int64 [n, D].

        Raises:
            ValueError: if z is not [n, D], not finite, or so large that k does not fit in 32 bits with sign.
        """
        z = np.asarray(z, np.float64)
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(f"Expected z of shape [n, {self.latent_dim}]. Received: shape={z.shape}")
        with np.errstate(invalid="ignore"):
            k = np.rint(z / self.steps.astype(np.float64))
        if not np.all(np.abs(k) < 2**31):
            raise ValueError("Expected finite z of at most 2^31 steps. Received: NaN, infinity or a larger z")
        return k.astype(np.int64)

    def encode(self, z: np.ndarray) -> bytes:
        """Return the message of latent vectors, [n, D].

        Raises:
            ValueError: as `codes` does.
        """
        intervals: list[tuple[int, int]] = []
        codes = self.codes(z)
        for row in codes.tolist():
            for k, first, table, starts in zip(row, self.first, self.frequencies, self._starts, strict=True):
                place, escape = k - first, len(table) - 1
                if 0 <= place < escape:
                    intervals.append((starts[place], table[place]))
                else:
                    intervals.append((starts[escape], table[escape]))
                    intervals += [(_BYTES[byte], TOTAL // 256) for byte in struct.pack("<i", k)]
        code = encode(intervals)
        body = _HEADER.pack(_MAGIC, _VERSION, self.latent_dim, len(codes), self._digest, len(code)) + code
        return body + struct.pack("<I", zlib.crc32(body))

    def decode(self, message: bytes) -> np.ndarray:
        """Return the latent vectors of a message, float32 [n, D]: k step, exactly.

        Raises:
            ValueError: if the message is damaged, or of another codec.
        """
        count, code = self._opened(message)
        decoder, rows = Decoder(code), []
        for _ in range(count):
            row = []
            for first, starts in zip(self.first, self._starts, strict=True):
                place = decoder.symbol(starts)
                if place < len(starts) - 2:
                    row.append(first + place)
                else:
                    row.append(struct.unpack("<i", bytes(decoder.symbol(_BYTES) for _ in range(4)))[0])
            rows.append(row)
        decoder.finish()
        k = np.array(rows, np.float64).reshape(count, self.latent_dim)
        return (k * self.steps.astype(np.float64)).astype(np.float32)

    def nats(self, z: np.ndarray) -> np.ndarray:
        """Return what each vector costs in the tables, -sum_d log P(k_d), [n] in nats, headers apart."""
        place = self.codes(z) - np.array(self.first)
        total = np.zeros(len(place))
        for d, table in enumerate(self.frequencies):
            cost = BITS * math.log(2.0) - np.log(np.array(table, np.float64))
            held = (place[:, d] >= 0) & (place[:, d] < len(table) - 1)
            total += np.where(held, cost[np.where(held, place[:, d], -1)], cost[-1] + 32 * math.log(2.0))
        return total

    def save(self, path: str | Path) -> None:
        """Write the codec as JSON, which any language reads."""
        write_json(path, self._parts())

    @staticmethod
    def load(path: str | Path) -> "LatentCodec":
        """Read a codec that `save` wrote.

        Raises:
            ExportError: if the file cannot be read as one.
        """
        try:
            parts = json.loads(Path(path).read_text(encoding="utf-8"))
            if (parts["format"], parts["version"]) != (_FORMAT, _VERSION):
                raise ValueError(f"format {parts['format']!r}, version {parts['version']!r}")
            return LatentCodec(parts["steps"], parts["first"], parts["frequencies"])
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ExportError(f"Expected a file of LatentCodec.save. Received: {path}, with {error}") from error

    def _parts(self) -> dict:
        steps = [float(step) for step in self.steps]
        return {"format": _FORMAT, "version": _VERSION, "steps": steps, "first": self.first,
                "frequencies": self.frequencies}  # fmt: skip

    def _opened(self, message: bytes) -> tuple[int, bytes]:
        """Return the number of vectors and the code of an undamaged message of this codec."""
        least = _HEADER.size + 4
        if len(message) < least or message[:4] != _MAGIC:
            raise ValueError(f"Expected a message that begins with {_MAGIC!r}. Received: {message[:4]!r}, of "
                             f"{len(message)} bytes")  # fmt: skip
        body, check = message[:-4], message[-4:]
        if struct.pack("<I", zlib.crc32(body)) != check:
            raise ValueError("Expected an undamaged message. Received: one whose checksum differs")
        _, version, size, count, digest, length = _HEADER.unpack(body[: _HEADER.size])
        if (version, size, digest, length) != (_VERSION, self.latent_dim, self._digest, len(message) - least):
            raise ValueError(
                f"Expected a message of this codec, version {_VERSION}, D={self.latent_dim}. Received: version "
                f"{version}, D={size}, of {'this' if digest == self._digest else 'another'} codec"
            )
        return count, body[_HEADER.size :]
