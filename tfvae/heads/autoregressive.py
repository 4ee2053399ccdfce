"""Inverse autoregressive flows as posteriors."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfvae.distributions.autoregressive import AutoregressiveStep
from tfvae.heads.flow import FlowHead, hidden_units
from tfvae.networks.masked import Masked, autoregressive


@keras.saving.register_keras_serializable(package="tfvae")
class InverseAutoregressive(FlowHead):
    """An inverse autoregressive flow: steps that move each coordinate as those before it say, all at once.

        z_0 ~ N(loc(x), diag(scale(x))^2),   z_k = s z_{k-1} + (1 - s) m,   [m, r] = MADE_k(z_{k-1}, x),
        s = sigmoid(r + 2)

    The features enter as the first bias of each step's masked network; the order of the coordinates is reversed from
    step to step. Draws are scored as they are made, in one pass. Other points cannot be scored but by D passes, which
    this posterior does not offer: `log_prob` raises NotImplementedError.

    Args:
        event_shape: length D of z.
        steps: how many steps; with none the posterior is `DiagonalNormal`.
        units: widths of the hidden layers of each step's network; D or more in each, so that every coordinate is seen.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if a size is no positive whole number or `steps` is negative.

    Reference: D. Kingma et al., "Improving Variational Inference with Inverse Autoregressive Flow", 2016, Algorithm 1,
    Eq. (9)-(14), https://arxiv.org/abs/1606.04934; the masks: M. Germain et al., "MADE: Masked Autoencoder for
    Distribution Estimation", 2015, Eq. (8) and (9), https://arxiv.org/abs/1502.03509.

    Example:
        >>> import numpy as np, tfvae
        >>> head = tfvae.heads.InverseAutoregressive(4, steps=2, units=(32,))
        >>> head(np.zeros([3, 16], "float32")).event_shape
        TensorShape([4])
    """

    def __init__(self, event_shape: int | tuple[int], steps: int, units: Sequence[int], **kwargs: object):
        super().__init__(event_shape, steps, **kwargs)
        self.units = hidden_units(units)
        self.take(self.units[0])
        order = range(self.event_shape[0])
        # Made here, as their sizes are known before the features are.
        self.networks = [
            Masked(
                autoregressive(order[:: 1 - 2 * (k % 2)], self.units, 2),
                dtype=self.variable_dtype,
            )
            for k in range(self.steps)
        ]

    def step(self, number: int, *pieces: tf.Tensor) -> AutoregressiveStep:
        return AutoregressiveStep(self.networks[number](*pieces))

    def get_config(self) -> dict:
        return {**super().get_config(), "steps": self.steps, "units": self.units}
