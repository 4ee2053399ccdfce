"""All scores of a model's codes."""

from dataclasses import dataclass, fields

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfvae.distributions.moments import centre
from tfvae.evaluation.batches import compiled, per_example
from tfvae.evaluation.disentanglement.dci import DCI, dci
from tfvae.evaluation.disentanglement.fixed import beta_vae_score, factor_vae_score
from tfvae.evaluation.disentanglement.information import mig, modularity
from tfvae.evaluation.disentanglement.predictability import explicitness, sap
from tfvae.evaluation.disentanglement.robustness import irs
from tfvae.evaluation.disentanglement.score import Score
from tfvae.evaluation.disentanglement.table import several_factors, table
from tfvae.models.variational import AbstractVAE
from tfvae.random import as_seed


@dataclass(frozen=True)
class Disentanglement:
    """All scores of one model: they measure different things, and no one of them is the truth."""

    beta_vae_score: Score
    """Accuracy of a linear classifier that names the factor that was fixed."""
    factor_vae_score: Score
    """Accuracy of a majority vote on the same."""
    mig: Score
    """Mutual information gap."""
    sap: Score
    """Separated attribute predictability."""
    dci: DCI
    """Disentanglement, completeness and informativeness."""
    modularity: Score
    """Whether each code has information of one factor only."""
    explicitness: Score
    """How well a linear classifier tells the values of the factors."""
    irs: Score
    """Interventional robustness."""
    examples: int
    """Number of examples."""

    @property
    def scores(self) -> tuple[Score | DCI, ...]:
        """The records of all scores."""
        return tuple(getattr(self, field.name) for field in fields(self) if field.name != "examples")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the numbers, and what to try; each sentence once."""
        return tuple(dict.fromkeys(warning for score in self.scores for warning in score.warnings))

    def __str__(self) -> str:
        return "\n".join(map(str, self.scores))

    def rows(self) -> dict[str, str]:
        """Return what a table shows."""
        return {title: value for score in self.scores for title, value in score.rows().items()}

    def as_json(self) -> dict:
        """Return plain numbers."""
        named = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "examples"}
        return {**{name: score.as_json() for name, score in named.items()}, "examples": self.examples}


def measure(
    model: AbstractVAE,
    data: object,
    factors: ArrayLike,
    seed: int | tuple[int, int] = 0,
    *,
    progress: bool = True,
) -> Disentanglement:
    """Measure all scores of the codes of a model: the centres of its posteriors, with every default.

    Args:
        model: a model of the library.
        data: an array of examples [n, *event], or a data set of batches [B, *event], in the order of `factors`.
        factors: whole numbers [n, F], F at least 2: the true factors of each example, any rows of any combinations.
        seed: one or two 32-bit integers.
        progress: show a progress bar while the examples are encoded.

    Returns:
        A `Disentanglement`.

    Raises:
        ValueError: if the data is empty, of another shape, or off the support, or `factors` is no such array.

    Reference: F. Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning of Disentangled
    Representations", 2019, which compares them, https://arxiv.org/abs/1811.12359.

    Example:
        >>> import numpy as np, tfvae
        >>> factors = np.stack(np.unravel_index(np.arange(64), [8, 8]), 1)
        >>> x = np.zeros([64, 8, 8, 1], "float32")
        >>> x[np.arange(64), factors[:, 0], factors[:, 1]] = 1.0
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, seed=0)
        >>> tfvae.evaluation.disentanglement.measure(model, x, factors, progress=False).examples
        64
    """
    as_seed(seed)

    def embed(x: tf.Tensor) -> tuple[tf.Tensor]:
        return (tf.cast(centre(model.encoder(x)), tf.float64),)

    encode = compiled(model, ("disentanglement",), embed, asks_for_rate=False)
    (codes,) = per_example(model, data, lambda x, _: encode(x), progress)
    several_factors(table(codes, factors))  # before the work begins
    return Disentanglement(
        beta_vae_score(codes, factors, seed),
        factor_vae_score(codes, factors, seed),
        mig(codes, factors, seed),
        sap(codes, factors, seed),
        dci(codes, factors, seed),
        modularity(codes, factors, seed),
        explicitness(codes, factors, seed),
        irs(codes, factors, seed),
        int(np.shape(codes)[0]),
    )
