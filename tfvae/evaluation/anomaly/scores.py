"""Scores of how anomalous an example is, in nats: the higher, the more anomalous."""

import abc
from typing import cast

import numpy as np
import tensorflow as tf

from tfvae.errors import positive_int
from tfvae.evaluation.bound import elbo
from tfvae.evaluation.evidence import log_evidence
from tfvae.models.variational import AbstractVAE, require_vae
from tfvae.random import Seed, as_seed


class Score(abc.ABC):
    """A function from examples to how anomalous each is (abstract).

    The noise of an example depends on the seed and on its place, counted from `first`: examples that are to be compared
    with others, as those that `calibrate` saw, are scored at other places, with noise of their own.
    """

    @abc.abstractmethod
    def __call__(self, data: object, first: int = 0) -> np.ndarray:
        """Return the score of each example, [n], in nats.

        Args:
            data: an array of examples [n, *event], or a data set of batches [B, *event].
            first: the place of the first example in the noise.
        """

    @property
    @abc.abstractmethod
    def description(self) -> str:
        """What the score is, in a few words."""


class NegativeELBO(Score):
    """The negative evidence lower bound: cheap, and an upper bound of the negative evidence in expectation.

        s(x) = -E_q(z|x)[log p(x | z)] + KL(q(z | x) || p(z))

    A VAE's likelihood can rank simpler images as more likely than those it was trained on: a score that is a
    likelihood fails there, whatever the model's fit. `detection` warns of it where anomalies are known.

    Args:
        model: a model of the library.
        samples: draws of z for each example.
        seed: one or two 32-bit integers.
        progress: show a progress bar.

    Raises:
        ValueError: if the model is none of the library, or `samples` or `seed` is no number it can be; when called, as
            `evaluation.elbo` does.

    Reference: D. Kingma and M. Welling, "Auto-Encoding Variational Bayes", 2014, Eq. (3),
    https://arxiv.org/abs/1312.6114; the failure: E. Nalisnick et al., "Do Deep Generative Models Know What They Don't
    Know?", 2019, Sec. 3, https://arxiv.org/abs/1810.09136.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae.evaluation import anomaly
        >>> score = anomaly.NegativeELBO(tfvae.zoo.vae((8, 8, 1), 2, seed=0), progress=False)
        >>> score(np.zeros([3, 8, 8, 1])).shape
        (3,)
    """

    def __init__(
        self, model: AbstractVAE, samples: int = 10, seed: int | tuple[int, int] = 0, *, progress: bool = True
    ):
        require_vae(model)
        self.model, self.samples, self.progress = model, positive_int("samples", samples), progress
        self.seed = as_seed(seed)

    def __call__(self, data: object, first: int = 0) -> np.ndarray:
        place = _from(self.seed, first)
        return -elbo(self.model, data, self.samples, place, progress=self.progress).per_example

    @property
    def description(self) -> str:
        return f"negative ELBO of {self.model.name}, {self.samples} draws"


class NegativeEvidence(Score):
    """The negative log evidence, by importance sampling.

        s(x) = -log 1/K sum_k p(x, z_k) / q(z_k | x),   z_k ~ q(z | x)

    A VAE's likelihood can rank simpler images as more likely than those it was trained on: see `NegativeELBO`.

    Args:
        model: a model of the library.
        samples: K, importance samples for each example.
        seed: one or two 32-bit integers.
        progress: show a progress bar.

    Raises:
        ValueError: if the model is none of the library, or `samples` or `seed` is no number it can be; when called, as
            `evaluation.log_evidence` does.

    Reference: C. Bishop, "Novelty detection and neural network validation", 1994,
    https://doi.org/10.1049/ip-vis:19941330; the estimate: Y. Burda, R. Grosse and R. Salakhutdinov, "Importance
    Weighted Autoencoders", 2016, Eq. (8), https://arxiv.org/abs/1509.00519.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae.evaluation import anomaly
        >>> score = anomaly.NegativeEvidence(tfvae.zoo.vae((8, 8, 1), 2, seed=0), samples=5, progress=False)
        >>> score(np.zeros([3, 8, 8, 1])).shape
        (3,)
    """

    def __init__(
        self, model: AbstractVAE, samples: int = 100, seed: int | tuple[int, int] = 0, *, progress: bool = True
    ):
        require_vae(model)
        self.model, self.samples, self.progress = model, positive_int("samples", samples), progress
        self.seed = as_seed(seed)

    def __call__(self, data: object, first: int = 0) -> np.ndarray:
        place = _from(self.seed, first)
        return -log_evidence(self.model, data, self.samples, place, progress=self.progress).per_example

    @property
    def description(self) -> str:
        return f"negative log evidence of {self.model.name}, K = {self.samples}"


class LikelihoodRatio(Score):
    """How much likelier a background model finds an example than the model does.

        s(x) = log p_background(x) - log p(x)

    What makes an example likely under both, such as a plain background or simple texture, cancels. The background model
    has the same likelihood and sees the same data, with part of the values replaced at random; or wider data.

    Args:
        model: a model of the library.
        background: another, of data of the same shape.
        samples: K, importance samples for each example and model.
        seed: one or two 32-bit integers.
        progress: show a progress bar.

    Raises:
        ValueError: if a model is none of the library, they are of data of different shapes or kinds, or `samples` or
            `seed` is no number it can be.

    Reference: J. Ren et al., "Likelihood Ratios for Out-of-Distribution Detection", 2019, Sec. 3,
    https://arxiv.org/abs/1906.02845.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae.evaluation import anomaly
        >>> model, background = (tfvae.zoo.vae((8, 8, 1), 2, seed=seed) for seed in (0, 1))
        >>> score = anomaly.LikelihoodRatio(model, background, samples=5, progress=False)
        >>> score(np.zeros([3, 8, 8, 1])).shape
        (3,)
    """

    def __init__(
        self,
        model: AbstractVAE,
        background: AbstractVAE,
        samples: int = 100,
        seed: int | tuple[int, int] = 0,
        *,
        progress: bool = True,
    ):
        self.model = NegativeEvidence(model, samples, seed, progress=progress)
        self.background = NegativeEvidence(background, samples, seed, progress=progress)
        ours, theirs = ((m.fits.event_shape, m.fits.support.discrete) for m in (model, background))
        if ours != theirs:
            raise ValueError(
                "Expected model and background to score the same data: one event shape, both probabilities or both "
                f"densities. Received: event shapes {ours[0]} and {theirs[0]}, discrete {ours[1]} and {theirs[1]}"
            )

    def __call__(self, data: object, first: int = 0) -> np.ndarray:
        return self.model(data, first) - self.background(data, first)

    @property
    def description(self) -> str:
        return f"log likelihood ratio of {self.background.model.name} to {self.model.model.name}"


class Typicality(Score):
    """How far the negative log evidence is from its mean on normal data: what is too likely is anomalous too.

        s(x) = |-log p(x) - H|,   H = mean of -log p(x) over the calibration data

    H is fitted to the calibration data: give other examples to `anomaly.calibrate`, whose guarantee fails where the
    score has seen the examples that it is calibrated on.

    Args:
        model: a model of the library.
        calibration: normal examples, on which the model was not trained.
        samples: K, importance samples for each example.
        seed: one or two 32-bit integers.
        progress: show a progress bar.

    Raises:
        ValueError: as `NegativeEvidence` does, for the calibration data too.

    Reference: E. Nalisnick, A. Matsukawa, Y. Teh and B. Lakshminarayanan, "Detecting Out-of-Distribution Inputs to
    Deep Generative Models Using Typicality", 2019, Sec. 3, with batches of one example,
    https://arxiv.org/abs/1906.02994.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae.evaluation import anomaly
        >>> x, model = np.zeros([3, 8, 8, 1]), tfvae.zoo.vae((8, 8, 1), 2, seed=0)
        >>> bool((anomaly.Typicality(model, x, samples=5, progress=False)(x) >= 0).all())
        True
    """

    def __init__(
        self,
        model: AbstractVAE,
        calibration: object,
        samples: int = 100,
        seed: int | tuple[int, int] = 0,
        *,
        progress: bool = True,
    ):
        self.evidence = NegativeEvidence(model, samples, seed, progress=progress)
        scores = self.evidence(calibration)
        self.entropy, self.examples = float(scores.mean()), len(scores)

    def __call__(self, data: object, first: int = 0) -> np.ndarray:
        return np.abs(self.evidence(data, first + self.examples) - self.entropy)

    @property
    def description(self) -> str:
        return f"distance of the {self.evidence.description} from its mean over {self.examples} examples"


def _from(seed: Seed, first: int) -> tuple[int, int]:
    """Return the noise of a seed from a place on; a tensor, so that another place is no other compilation."""
    return cast("tuple[int, int]", seed._replace(example=tf.constant(first)))  # `as_seed` takes a Seed too
