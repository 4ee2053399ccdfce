"""The normal distribution whose covariance is a diagonal plus a matrix of low rank."""

import math

import tensorflow as tf
from tensorflow_probability import distributions as tfd


class LowRankNormal(tfd.MultivariateNormalDiagPlusLowRankCovariance):
    """TFP's normal with covariance diag(v) + U U^T, whose density and divergence need no matrix solver.

        log q(z) = -(|y - W e|^2 + |e|^2) / 2 - log |M| / 2 - sum_i log d_i - D log(2 pi) / 2
        y = (z - loc) / d,   W = U / d,   M = I + W^T W,   e = M^-1 W^T y,   d = sqrt(v)

    The quadratic form is written as the sum of squares that e minimises, not as the difference |y|^2 - |...|^2 of
    Woodbury's identity, which loses its digits where U is large against d.

    Args:
        loc: the mean, [*B, D].
        cov_diag_factor: v, variances, [*B, D].
        cov_perturb_factor: U, [*B, D, rank].

    Reference: V. Ong, D. Nott and M. Smith, "Gaussian Variational Approximation with a Factor Covariance Structure",
    2018, Sec. 3, https://arxiv.org/abs/1701.03208.

    Example:
        >>> import tensorflow as tf
        >>> float(LowRankNormal([0.0], [3.0], [[1.0]]).stddev()[0])
        2.0
    """

    def deviations(self) -> tf.Tensor:
        """Return d, the standard deviations that the diagonal alone would give, [*B, D]."""
        return tf.sqrt(self.cov_diag_factor)

    def _capacitance(self) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return W, [*B, D, R], and the columns of the Cholesky factor of M, [*B, R] each."""
        whitened = self.cov_perturb_factor / self.deviations()[..., None]
        rank = whitened.shape[-1]
        return whitened, _cholesky(tf.eye(rank, dtype=self.dtype) + tf.matmul(whitened, whitened, transpose_a=True))

    def log_determinant(self) -> tf.Tensor:
        """Return log |covariance| / 2, [*B]."""
        _, columns = self._capacitance()
        return tf.reduce_sum(tf.math.log(self.deviations()), -1) + _log_diagonal(columns)

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        whitened, columns = self._capacitance()
        deviations = self.deviations()
        y = (x - self.loc) / deviations  # [..., D]
        e = _solve(columns, tf.linalg.matvec(whitened, y, transpose_a=True))  # [..., R]
        rest = y - tf.linalg.matvec(whitened, e)  # [..., D]
        square = tf.reduce_sum(tf.square(rest), -1) + tf.reduce_sum(tf.square(e), -1)
        volume = tf.reduce_sum(tf.math.log(deviations), -1) + _log_diagonal(columns)
        return -0.5 * square - volume - 0.5 * self.event_shape[-1] * math.log(2.0 * math.pi)

    def _mean(self) -> tf.Tensor:
        return self.loc

    def _variance(self) -> tf.Tensor:
        return self.cov_diag_factor + tf.reduce_sum(tf.square(self.cov_perturb_factor), -1)


@tfd.RegisterKL(LowRankNormal, tfd.MultivariateNormalDiag)
def _from_diagonal(q: LowRankNormal, p: tfd.Distribution, name: str | None = None) -> tf.Tensor:
    """KL(N(m, C) || N(n, diag(s)^2)) = (sum_i C_ii / s_i^2 + |(m - n) / s|^2 - D - log |C|) / 2 + sum_i log s_i."""
    scale = p.stddev()
    square = tf.reduce_sum((q.variance() + tf.square(q.loc - p.mean())) / tf.square(scale), -1)
    size = tf.cast(q.event_shape[-1], q.dtype)
    return 0.5 * (square - size) + tf.reduce_sum(tf.math.log(scale), -1) - q.log_determinant()


def _cholesky(matrix: tf.Tensor) -> list[tf.Tensor]:
    """Return the columns of the lower triangular factor of positive definite matrices [*B, R, R], [*B, R] each.

    Unrolled, as TFLite has neither a decomposition nor a solver; the rank is small.
    """
    rank, columns = matrix.shape[-1], []
    for place in range(rank):
        below = tf.constant([float(row >= place) for row in range(rank)], matrix.dtype)
        column = below * matrix[..., place] / tf.sqrt(matrix[..., place, place])[..., None]
        matrix -= column[..., :, None] * column[..., None, :]
        columns.append(column)
    return columns


def _log_diagonal(columns: list[tf.Tensor]) -> tf.Tensor:
    return tf.add_n([tf.math.log(column[..., place]) for place, column in enumerate(columns)])


def _solve(columns: list[tf.Tensor], b: tf.Tensor) -> tf.Tensor:
    """Return (L L^T)^-1 b for the columns of L, by substitution forwards and backwards; b is [..., R]."""
    forward: list[tf.Tensor] = []
    solution: list[tf.Tensor] = []
    for place, column in enumerate(columns):
        forward.append(b[..., place] / column[..., place])
        b -= tf.expand_dims(forward[-1], -1) * column  # TFLite has no [..., None] on two unknown axes
    for place in reversed(range(len(columns))):
        known = [columns[place][..., place + 1 + k] * value for k, value in enumerate(solution)]
        rest = forward[place] - tf.add_n(known) if known else forward[place]
        solution.insert(0, rest / columns[place][..., place])
    return tf.stack(solution, -1)
