"""An entropy coder: whole frequencies in, bytes out, within a few bytes of the entropy; exact on every machine.

Range asymmetric numeral systems with a state of 31 bits, which any language's integers hold, and bytes as they flow
out. What is coded last is decoded first, so the encoder walks backwards.

Reference: J. Duda, "Asymmetric numeral systems: entropy coding combining speed of Huffman coding with compression rate
of arithmetic coding", 2013, Sec. 4, https://arxiv.org/abs/1311.2540.
"""

from bisect import bisect_right
from collections.abc import Sequence

BITS = 16
TOTAL = 1 << BITS
"""What the frequencies of a table sum to."""
_LOW = 1 << 23  # the state lies in [_LOW, 256 * _LOW)


class Damaged(ValueError):
    """Bytes that no encoder wrote."""


def encode(intervals: Sequence[tuple[int, int]]) -> bytes:
    """Return the bytes of symbols, each given by where its frequency begins in the table, and the frequency.

    Example:
        >>> from tfvae.export import wire_coder
        >>> len(wire_coder.encode([(0, wire_coder.TOTAL // 2)] * 800))  # 800 symbols of one bit each
        104
    """
    state, flowed = _LOW, bytearray()
    for start, frequency in reversed(intervals):
        limit = ((_LOW >> BITS) << 8) * frequency
        while state >= limit:
            flowed.append(state & 255)
            state >>= 8
        state = ((state // frequency) << BITS) + state % frequency + start
    flowed += state.to_bytes(4, "little")
    return bytes(reversed(flowed))


class Decoder:
    """Reads symbols back in their order.

    Args:
        content: what `encode` returned.

    Raises:
        Damaged: here, from `symbol` or from `finish`, if no encoder wrote the bytes.
    """

    def __init__(self, content: bytes):
        self._content, self._place = content, 4
        self._state = int.from_bytes(content[:4], "big")
        if len(content) < 4 or not _LOW <= self._state < _LOW << 8:
            raise Damaged(f"Expected bytes of an encoder. Received: {len(content)} bytes that begin with no state")

    def symbol(self, starts: Sequence[int]) -> int:
        """Return the next symbol: its place in a table, given by where each frequency begins, and by the total."""
        slot = self._state & (TOTAL - 1)
        found = bisect_right(starts, slot) - 1
        start = starts[found]
        self._state = (starts[found + 1] - start) * (self._state >> BITS) + slot - start
        while self._state < _LOW:
            if self._place >= len(self._content):
                raise Damaged("Expected more bytes. Received: a message that ends too early")
            self._state = self._state << 8 | self._content[self._place]
            self._place += 1
        return found

    def finish(self) -> None:
        """Check that all was read."""
        if self._state != _LOW or self._place != len(self._content):
            raise Damaged("Expected no bytes after the last symbol. Received: a message that goes on")
