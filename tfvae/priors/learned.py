"""A prior of any family, whose parameters are learned."""

import keras
from tensorflow_probability import distributions as tfd

from tfvae.heads.base import Head
from tfvae.priors.base import Prior


@keras.saving.register_keras_serializable(package="tfvae")
class Learned(Prior):
    """The distribution of a head whose parameters depend on nothing: p(x) = p(x | eta), eta a weight.

    It makes the root of a directed graph, such as the probabilities of classes, of any head.

    Args:
        head: from `tfvae.heads`.
        initializer: where eta begins; 0, the middle of most families, leaves the components of a mixture alike.
        **kwargs: `name` and `dtype`, as for any Keras layer.

    Raises:
        TypeError: if `head` is none.

    Reference: C. Bishop, "Pattern Recognition and Machine Learning", 2006, Sec. 8.1,
    https://www.microsoft.com/en-us/research/publication/pattern-recognition-machine-learning/.

    Example:
        >>> import tfvae
        >>> tfvae.priors.Learned(tfvae.heads.OneHotCategorical(4))().mean().numpy()
        array([0.25, 0.25, 0.25, 0.25], dtype=float32)
    """

    def __init__(
        self, head: Head, initializer: keras.initializers.Initializer = keras.initializers.Zeros(), **kwargs: object
    ):
        super().__init__(**kwargs)
        if not isinstance(head, Head):
            raise TypeError(
                f"Expected a head from tfvae.heads, such as heads.OneHotCategorical(10). Received: head={head!r}"
            )
        self.head, self.initializer = head, keras.initializers.get(initializer)
        self.support, self.compiles = head.support, head.compiles
        shape = (*head.grid, head.width)
        self.eta = self.add_weight(shape=shape, initializer=self.initializer, name="eta")
        head.built = True  # it needs no linear layer
        self.built = True

    def distribution(self) -> tfd.Distribution:
        return self.head.distribution(self.eta.value)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            **{name: keras.saving.serialize_keras_object(getattr(self, name)) for name in _PARTS},
        }

    @classmethod
    def from_config(cls, config: dict) -> "Learned":
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in _PARTS}
        return cls(**{**config, **parts})


_PARTS = ("head", "initializer")
