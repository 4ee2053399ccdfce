"""What heads over a vector have in common."""

from tfvae.heads.base import Head


def vector_length(head: Head, least: int = 1) -> int:
    """Return the length D of what a head models.

    Raises:
        ValueError: if the head was given the shape of something else than a vector of at least `least` numbers.
    """
    if len(head.event_shape) != 1 or head.event_shape[0] < least:
        raise ValueError(
            f"Expected {type(head).__name__} to model a vector, event_shape=D with D of at least {least}. "
            f"Received: event_shape={head.event_shape!r}"
        )
    return head.event_shape[0]
