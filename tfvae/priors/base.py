"""What every prior has in common."""

import keras
from tensorflow_probability import distributions as tfd

from tfvae.heads.support import Support


class Prior(keras.layers.Layer):
    """The distribution p(z) of the latent vector (abstract): `prior()` returns a `tfd.Distribution`.

    A prior owns its weights (`add_weight`, in the constructor) and builds its distribution anew at every call of
    `distribution`; a distribution kept on the layer would be neither trained nor saved.
    """

    support: Support
    compiles = True
    """Whether XLA can compile the distribution on a processor."""

    def distribution(self) -> tfd.Distribution:
        """Return p(z), with batch shape [] and event shape [D]."""
        raise NotImplementedError

    def fixed(self) -> "Prior":
        """Return a prior with the same density that runs no network over data: itself, for most priors."""
        return self

    def __call__(self) -> tfd.Distribution:
        # Keras' own __call__ refuses a call without arguments.
        return self.distribution()
