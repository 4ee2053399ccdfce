"""Maps of single numbers for coupling flows: what the numbers that a network puts out mean."""

import keras
import tensorflow as tf

from tfvae.distributions.coupling import Transform
from tfvae.distributions.spline import Knots
from tfvae.errors import number_in, whole_number_in
from tfvae.heads.scales import positive

_SHORTEST = 1e-3  # of all pieces together: the least width and height of one


@keras.saving.register_keras_serializable(package="tfvae")
class Affine(Transform):
    """A scale and a shift: z' = scale z + shift.

    Reference: L. Dinh, J. Sohl-Dickstein and S. Bengio, "Density estimation using Real NVP", 2017, Eq. (5), with the
    library's positive scale for their exponential, https://arxiv.org/abs/1605.08803.

    Example:
        >>> import tfvae
        >>> tfvae.heads.Affine().count
        2
    """

    @property
    def count(self) -> int:
        """How many parameters a number has."""
        return 2

    def forward(self, z: tf.Tensor, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Transform`."""
        shift, raw = tf.unstack(parameters, axis=-1)
        scale = positive(raw)
        return scale * z + shift, tf.math.log(scale)

    def inverse(self, z: tf.Tensor, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Transform`."""
        shift, raw = tf.unstack(parameters, axis=-1)
        scale = positive(raw)
        return (z - shift) / scale, tf.math.log(scale)

    def get_config(self) -> dict:
        return {}


@keras.saving.register_keras_serializable(package="tfvae")
class Spline(Transform):
    """An increasing spline of rational-quadratic pieces on [-bound, bound], the identity outside.

    With all parameters 0 it is the identity to 1e-5.

    Args:
        bins: how many pieces, from 2 to 100.
        bound: where the spline ends on either side; z is a number of the order of 1.

    Raises:
        ValueError: if an argument lies outside these ranges.

    Reference: C. Durkan, A. Bekasov, I. Murray and G. Papamakarios, "Neural Spline Flows", 2019, Eq. (4) and (5),
    https://arxiv.org/abs/1906.04032.

    Example:
        >>> import tfvae
        >>> tfvae.heads.Spline(bins=8, bound=3.0).count
        23
    """

    bins: int
    bound: float

    def __init__(self, bins: int = 8, bound: float = 3.0):
        self.bins = whole_number_in("bins", bins, 2, 100)
        self.bound = number_in("bound", bound, 1e-3, 1e6)

    @property
    def count(self) -> int:
        """How many parameters a number has: widths, heights and the slopes between the pieces."""
        return 3 * self.bins - 1

    def forward(self, z: tf.Tensor, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Transform`."""
        return self._knots(parameters).forward(z)

    def inverse(self, z: tf.Tensor, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `Transform`."""
        return self._knots(parameters).inverse(z)

    def get_config(self) -> dict:
        return {"bins": self.bins, "bound": self.bound}

    def _knots(self, parameters: tf.Tensor) -> Knots:
        widths, heights, slopes = tf.split(parameters, [self.bins, self.bins, self.bins - 1], -1)
        ends = tf.ones_like(widths[..., :1])  # slopes of the identity, to which the spline is joined
        slopes = tf.concat([ends, positive(slopes), ends], -1)
        return Knots(self._lengths(widths), self._lengths(heights), slopes, self.bound)

    def _lengths(self, raw: tf.Tensor) -> tf.Tensor:
        return 2.0 * self.bound * (_SHORTEST + (1.0 - _SHORTEST * self.bins) * tf.nn.softmax(raw, -1))


def require_transform(transform: object) -> Transform:
    """Return a transform, or raise TypeError."""
    if not isinstance(transform, Transform):
        raise TypeError(
            "Expected transform to be an object such as heads.Affine() or heads.Spline(bins=8). "
            f"Received: transform={transform!r}"
        )
    return transform
