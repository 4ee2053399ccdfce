"""The distribution of a class, as a vector of zeros and a single one."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.errors import whole_number_in
from tfvae.heads.base import Head
from tfvae.heads.support import ONE_HOT


@keras.saving.register_keras_serializable(package="tfvae")
class OneHotCategorical(Head):
    """Categorical distribution of a class, coded as a vector with a single 1.

        log p(y | x) = sum_k y_k log softmax(l(x))_k

    Its mean are the probabilities of the classes. Models take the numbers 0 .. classes - 1 of the classes too.

    Args:
        classes: how many, at least 2.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        ValueError: if `classes` is no whole number of at least 2.

    Reference: C. Bishop, "Pattern Recognition and Machine Learning", 2006, Eq. (4.104) and (4.107),
    https://www.microsoft.com/en-us/research/publication/pattern-recognition-machine-learning/.

    Example:
        >>> import numpy as np, tfvae
        >>> py = tfvae.heads.OneHotCategorical(4)(np.zeros([1, 16], "float32"))
        >>> py.mean().numpy()
        array([[0.25, 0.25, 0.25, 0.25]], dtype=float32)
    """

    support = ONE_HOT
    parameter_count = 1

    def __init__(self, classes: int, **kwargs: object):
        super().__init__(whole_number_in("classes", classes, 2, 2**31 - 1), **kwargs)

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        return tfd.OneHotCategorical(logits=parameters, dtype=parameters.dtype)

    def get_config(self) -> dict:
        config = {key: value for key, value in super().get_config().items() if key != "event_shape"}
        return {**config, "classes": self.event_shape[0]}
