"""A prior that is one distribution, with nothing to learn."""

from tensorflow_probability import distributions as tfd

from tfvae.heads.support import Support
from tfvae.priors.base import Prior


class Fixed(Prior):
    """A distribution as it stands, whose parameters become constants of what is exported.

    It holds tensors, which no Keras file keeps.

    Args:
        distribution: with batch shape [] and event shape [D].
        support: where its draws lie.
    """

    def __init__(self, distribution: tfd.Distribution, support: Support):
        super().__init__()
        self.constant = distribution
        self.support = support
        self.built = True

    def distribution(self) -> tfd.Distribution:
        return self.constant
