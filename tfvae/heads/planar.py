"""Planar flows as posteriors."""

import keras
import tensorflow as tf

from tfvae.distributions.planar import PlanarStep
from tfvae.heads.flow import FlowHead
from tfvae.heads.scales import SCALE_FLOOR, positive


@keras.saving.register_keras_serializable(package="tfvae")
class Planar(FlowHead):
    """A planar flow, whose steps bend space along one direction each; all of their parameters come from the features.

        z_0 ~ N(loc(x), diag(scale(x))^2),   z_k = z_{k-1} + u tanh(w . z_{k-1} + b),   w . u > -1

    Any numbers u, w are taken: u is moved along w until w . u = m(w . u) / (1 + 1e-5 / |w|^2), where m(a) = softplus(a
    + log(e - 1)) - 1 in place of the paper's softplus(a) - 1, so that m(0) = 0 and nothing grows without bound as w
    goes to 0.

    Args:
        event_shape: length D of z.
        steps: how many steps; with none the posterior is `DiagonalNormal`.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `event_shape` is no positive whole number or `steps` is negative.

    Reference: D. Rezende and S. Mohamed, "Variational Inference with Normalizing Flows", 2015, Eq. (10)-(12) and App.
    A.1, https://arxiv.org/abs/1505.05770.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.heads.Planar(2, steps=4)(np.zeros([3, 16], "float32")).event_shape
        TensorShape([2])
    """

    def __init__(self, event_shape: int | tuple[int], steps: int, **kwargs: object):
        super().__init__(event_shape, steps, **kwargs)
        self.take(self.event_shape[0], self.event_shape[0], 1)

    def step(self, number: int, *pieces: tf.Tensor) -> PlanarStep:
        u, w, b = pieces
        square, raw = tf.reduce_sum(w**2, -1, keepdims=True), tf.reduce_sum(w * u, -1, keepdims=True)
        bounded = positive(raw) - 1.0
        floored = square + SCALE_FLOOR
        return PlanarStep((square * u + (bounded - raw) * w) / floored, w, b, bounded * square / floored)

    def get_config(self) -> dict:
        return {**super().get_config(), "steps": self.steps}
