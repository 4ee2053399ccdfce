"""How records print: a value to the digits that its error leaves, and numbers as plain JSON has them."""

import math

_MOST = 6  # decimals; what is smaller is written as a power of ten


def decimals(error: float) -> int:
    """Return how many decimals show two significant digits of an error, from 0 to 6; 2 where it is unknown or zero.

    Example:
        >>> from tfvae.evaluation.printing import decimals
        >>> decimals(0.34), decimals(0.0996), decimals(12.0), decimals(float("nan"))
        (2, 2, 0, 2)
    """
    if not math.isfinite(error) or error <= 0:
        return 2
    rounded = float(f"{error:.1e}")  # 0.0996 is 0.10, which takes a decimal less
    return min(_MOST, max(0, 1 - math.floor(math.log10(rounded))))


def error_of(error: float) -> str:
    """Return an error with two significant digits; NaN is unknown.

    Example:
        >>> from tfvae.evaluation.printing import error_of
        >>> error_of(0.3412), error_of(0.0207), error_of(1.2e-9), error_of(float("nan"))
        ('0.34', '0.021', '1.2e-09', 'unknown')
    """
    if not math.isfinite(error):
        return "unknown"
    return f"{error:.1e}" if 0 < error < 10.0**-_MOST else f"{error:.{decimals(error)}f}"


def plus_minus(value: float, error: float) -> str:
    """Return a value and its error, the value rounded to the last digit of the error.

    Example:
        >>> from tfvae.evaluation.printing import plus_minus
        >>> plus_minus(-86.9161, 0.3412)
        '-86.92 ± 0.34'
    """
    return f"{value:.{decimals(error)}f} ± {error_of(error)}"


def plain(value: float) -> float | None:
    """Return a number as JSON has it: a float, and None for what is not finite.

    Example:
        >>> from tfvae.evaluation.printing import plain
        >>> plain(float("nan")), plain(1)
        (None, 1.0)
    """
    return float(value) if math.isfinite(value) else None


def about_examples(examples: int) -> tuple[str, ...]:
    """Return a warning if there is one example only, whose mean has no error.

    Example:
        >>> from tfvae.evaluation.printing import about_examples
        >>> len(about_examples(1)), about_examples(100)
        (1, ())
    """
    return () if examples > 1 else ("One example has no standard error: measure more.",)
