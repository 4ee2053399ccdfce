"""Is the aggregate posterior the prior? Where it is not, samples are decoded from z that training never met."""

from dataclasses import dataclass

import tensorflow as tf

from tfvae.errors import positive_int
from tfvae.evaluation.batches import compiled, per_example
from tfvae.evaluation.latent.two_sample import c2st, mmd_test
from tfvae.evaluation.latent.verdicts import ClassifierTest, MMDTest
from tfvae.models.variational import AbstractVAE
from tfvae.random import Seed, as_seed, draw, generator

_ALPHA = 0.01
_ACCURACY = 0.6  # below it a gap is small, however sure
_PRIOR = 2**30  # where the noise of the prior's draws begins, far from the examples' own


@dataclass(frozen=True)
class AggregatePosterior:
    """How the draws of q(z) = E_x[q(z | x)] differ from those of the prior."""

    mmd: MMDTest
    """The kernel's verdict."""
    classifier: ClassifierTest
    """The classifier's verdict."""
    examples: int
    """Draws of each, one for an example."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try."""
        if self.classifier.p_value >= _ALPHA or self.classifier.accuracy < _ACCURACY:
            return ()
        return (
            f"A classifier tells draws of q(z) from those of the prior with accuracy {self.classifier.accuracy:.2f}: "
            "the prior has holes, and samples are decoded from z that no example leads to. Try a prior that learns, "
            "such as priors.VampPrior or priors.Mixture, or a larger beta.",
        )

    def __str__(self) -> str:
        return f"q(z) against p(z): {self.mmd}; {self.classifier}"

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        return {f"q(z) against p(z): {title}": row for title, row in (self.mmd.rows() | self.classifier.rows()).items()}

    def as_json(self) -> dict:
        """Return plain numbers."""
        return {"mmd": self.mmd.as_json(), "classifier": self.classifier.as_json(), "examples": self.examples}


def aggregate_posterior(
    model: AbstractVAE,
    data: object,
    points: int = 2000,
    permutations: int = 499,
    classifier: object = None,
    seed: int | tuple[int, int] = 0,
    *,
    progress: bool = True,
) -> AggregatePosterior:
    """Test whether q(z) = E_x[q(z | x)], of which each example gives one draw, is the prior p(z).

        x ~ data, z ~ q(z | x)   against   z ~ p(z)

    A point mass has an aggregate posterior too, and is tested as any other.

    Args:
        model: a model of the library.
        data: an array of examples [n, *event], or a data set of batches [B, *event].
        points: draws that are compared at most, as many of each; of more examples, so many at random.
        permutations: of the kernel test, see `mmd_test`.
        classifier: of the other test, see `c2st`.
        seed: one or two 32-bit integers.
        progress: show a progress bar.

    Returns:
        An `AggregatePosterior`.

    Raises:
        ValueError: if a number is not positive, there are fewer than 4 examples, or the data is of another shape or off
            the support.

    Reference: A. Makhzani et al., "Adversarial Autoencoders", 2016, Sec. 2, https://arxiv.org/abs/1511.05644; the
    holes: M. Rosca, B. Lakshminarayanan and S. Mohamed, "Distribution Matching in Variational Inference", 2018,
    https://arxiv.org/abs/1802.06847.

    Example:
        >>> import numpy as np, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, seed=0)
        >>> tfvae.evaluation.aggregate_posterior(model, np.zeros([50, 8, 8, 1]), progress=False).examples
        50
    """
    points, start = positive_int("points", points), as_seed(seed)
    draw_one = compiled(
        model,
        ("aggregate_posterior",),
        lambda x, words, first: (draw(model.encoder(x), 1, Seed(words, example=first))[0],),
        asks_for_rate=False,
        xla=False,
    )
    (z,) = per_example(model, data, lambda x, index: draw_one(x, start.words, start.example + index), progress)
    if len(z) > points:
        z = z[generator(start).permutation(len(z))[:points]]
    noise = Seed(start.words, sample=tf.constant(_PRIOR))
    other = draw(model.prior(), len(z), noise).numpy()  # [n, D]
    return AggregatePosterior(mmd_test(z, other, None, permutations, seed), c2st(z, other, classifier, seed), len(z))
