"""Codecs of latent vectors for a model, and what they cost against the rate that the ELBO promises."""

import math
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from scipy.special import ndtr

from tfvae.distributions.moments import moments
from tfvae.errors import number_in, positive_int
from tfvae.evaluation.batches import compiled, per_example, standard_error
from tfvae.evaluation.printing import error_of, plain
from tfvae.export.wire import LatentCodec
from tfvae.export.wire_coder import TOTAL
from tfvae.models.variational import AbstractVAE, require_vae
from tfvae.priors import StandardNormal
from tfvae.random import Seed

SPACE_FILLING_LOSS = 0.5 * math.log(math.pi * math.e / 6.0)
"""What noise of a uniform density costs over normal noise of the same variance: 0.1765 nats a dimension."""
_REACH = 6.0  # deviations of a standard normal that a table covers
_MOST = 2**12  # symbols of a table: with more, whole frequencies would be too coarse for the rare ones


class Marginals:
    """The density of each dimension of z under which codes are written (abstract)."""

    def cells(self, model: AbstractVAE, mean: np.ndarray, stddev: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """Return the mass between the edges, [cells], of a dimension whose posteriors have mean and stddev [n]."""
        raise NotImplementedError


class PriorMarginals(Marginals):
    """The prior's own density, N(0, 1) in each dimension: what the rate KL(q || p) is stated against.

    Example:
        >>> import tfvae
        >>> tfvae.export.PriorMarginals()
        PriorMarginals()
    """

    def cells(self, model: AbstractVAE, mean: np.ndarray, stddev: np.ndarray, edges: np.ndarray) -> np.ndarray:
        if not isinstance(model.prior, StandardNormal):
            raise ValueError(
                "Expected a StandardNormal prior, whose dimensions are independent; use AggregateMarginals(). "
                f"Received: prior={type(model.prior).__name__}"
            )
        return np.diff(ndtr(edges))

    def __repr__(self) -> str:
        return "PriorMarginals()"


class AggregateMarginals(Marginals):
    """The aggregate posterior's density in each dimension, the mean of q(z_d | x) over the data: for any prior.

    It saves the divergence of the aggregate posterior's marginals from the prior's, so that a message may cost less
    than the ELBO's rate.

    Example:
        >>> import tfvae
        >>> tfvae.export.AggregateMarginals()
        AggregateMarginals()
    """

    def cells(self, model: AbstractVAE, mean: np.ndarray, stddev: np.ndarray, edges: np.ndarray) -> np.ndarray:
        return np.mean([np.diff(ndtr((edges - m) / s)) for m, s in zip(mean, stddev, strict=True)], 0)

    def __repr__(self) -> str:
        return "AggregateMarginals()"


_PRIOR = PriorMarginals()


def latent_codec(
    model: AbstractVAE,
    data: np.ndarray,
    marginals: Marginals = _PRIOR,
    step: float = math.sqrt(12.0),
    examples: int = 1000,
) -> LatentCodec:
    """Return a codec of posterior means, with a step for each dimension in proportion to the posterior's deviation.

        step_d = step exp(mean_i log stddev_d(x_i)),   error of z_d ~ U(-step_d / 2, step_d / 2)

    With the default step of sqrt(12) the error has the variance of q, so that the decoder sees as much noise as in the
    ELBO. The message then costs the rate and 1/2 log(pi e / 6) = 0.1765 nats a dimension, the price of rounding each
    number by itself. Half the step costs log 2 = 0.6931 nats a dimension more.

    Args:
        model: a model whose posterior lies in real space.
        data: an array of examples [n, *event], such as the training data, for deviations and tables.
        marginals: `PriorMarginals()`, or `AggregateMarginals()`.
        step: the step in deviations of the posterior, at least 0.01.
        examples: how many examples to use at most.

    Raises:
        ValueError: if an argument is out of range, the prior has no density for each dimension, or the posterior is a
            point or so narrow that a table would hold more than 4096 symbols.

    Reference: the price of rounding: H. Gish and J. Pierce, "Asymptotically efficient quantizing", 1968; noise that is
    as good as rounding: J. Balle, V. Laparra and E. Simoncelli, "End-to-end Optimized Image Compression", 2017,
    Sec. 3, https://arxiv.org/abs/1611.01704.

    Example:
        >>> import numpy as np, tfvae
        >>> model, x = tfvae.zoo.vae((8, 8, 1), latent_dim=2, units=(16,)), np.zeros([10, 8, 8, 1], "float32")
        >>> codec = tfvae.export.latent_codec(model, x)
        >>> mean = model.encoder(x).mean().numpy()
        >>> bool(np.all(abs(codec.decode(codec.encode(mean)) - mean) <= codec.steps / 2 + 1e-6))
        True
    """
    require_vae(model)
    step = number_in("step", step, 0.01)
    x = model.check.array(data)[: positive_int("examples", examples)]
    mean, stddev = _posterior(model, x)
    if not np.all(stddev > 0):
        raise ValueError(f"Expected a posterior with a density in real space. Received: {model.fits.posterior}")
    steps = (step * np.exp(np.mean(np.log(stddev), 0))).astype(np.float32)
    first, tables = [], []
    for d, width in enumerate(steps.astype(np.float64)):
        low = min(-_REACH, float(np.min(mean[:, d])))
        high = max(_REACH, float(np.max(mean[:, d])))
        k = np.arange(math.floor(low / width), math.ceil(high / width) + 1)
        if len(k) > _MOST:
            raise ValueError(
                f"Expected at most {_MOST} symbols in a table; take a larger step. Received: {len(k)} in dimension {d}"
            )
        mass = marginals.cells(model, mean[:, d], stddev[:, d], (np.append(k, k[-1] + 1) - 0.5) * width)
        first.append(int(k[0]))
        tables.append(_frequencies(np.append(mass, max(0.0, 1.0 - mass.sum()))))
    return LatentCodec(steps, first, tables)


@dataclass(frozen=True)
class WireReport:
    """What messages cost, and what the ELBO promises; nats per example."""

    promise: float
    """The mean rate KL(q || p)."""
    rate: float
    """Length of the message, its header included."""
    code_rate: float
    """Length by the tables alone, -log P(k): what the rate tends to with more examples in a message."""
    overhead_per_dim: float
    """Code rate above the promise, for each dimension of z."""
    standard_error: float
    """Standard error over the examples of the difference between code rate and promise."""
    distortion: float
    """Mean of -log p(x | z) where z is drawn from q, as in the ELBO."""
    distortion_after: float
    """Mean of -log p(x | z) for z as decoded from the message."""
    examples: int
    """Number of examples in the message."""

    @property
    def bits(self) -> float:
        """Length of the message in bits per example."""
        return self.rate / math.log(2.0)

    def as_json(self) -> dict:
        """Return the numbers as JSON has them."""
        numbers = {name: plain(value) for name, value in vars(self).items() if name != "examples"}
        return {"unit": "nats per example", **numbers, "bits": self.bits, "examples": self.examples}

    def __str__(self) -> str:
        return (
            f"promise       {self.promise:9.3f} nats, the rate KL(q || p)\n"
            f"message       {self.rate:9.3f} nats, {self.bits:.3f} bits, n = {self.examples}\n"
            f"tables alone  {self.code_rate:9.3f} nats, promise {self.code_rate - self.promise:+.3f} "
            f"± {error_of(self.standard_error)}, {self.overhead_per_dim:+.4f} a dimension\n"
            f"distortion    {self.distortion:9.3f} nats with draws of z, {self.distortion_after:.3f} as decoded\n"
            f"in all        {self.promise + self.distortion:9.3f} nats promised, "
            f"{self.rate + self.distortion_after:.3f} sent"
        )


def measure_wire(model: AbstractVAE, codec: LatentCodec, data: np.ndarray, seed: int = 0) -> WireReport:
    """Send the posterior means of examples in one message, decode it, and compare with what the ELBO promises.

    Args:
        model: the model of the codec.
        codec: from `latent_codec`.
        data: an array of examples [n, *event], others than those of the codec.
        seed: seed of the draws from the posterior.

    Returns:
        A `WireReport`.

    Raises:
        ValueError: if the posterior is a point, which has no rate, or the data does not suit the model.

    Example:
        >>> import numpy as np, tfvae
        >>> model, x = tfvae.zoo.vae((8, 8, 1), latent_dim=2, units=(16,)), np.zeros([10, 8, 8, 1], "float32")
        >>> tfvae.export.measure_wire(model, tfvae.export.latent_codec(model, x), x).examples
        10
    """
    require_vae(model)
    if not model.fits.has_rate:
        raise ValueError(f"Expected a posterior with a density, and so a rate. Received: {model.fits.posterior}")
    x = model.check.array(data)
    words = tf.constant([seed, 0])

    def terms(batch: tf.Tensor, words: tf.Tensor, first: tf.Tensor) -> tuple:
        trace = model.trace(batch, 1, Seed(words, example=first))
        return trace.rate, trace.distortion

    run = compiled(model, ("wire",), terms, xla=False)
    promise, distortion = per_example(model, x, lambda batch, first: run(batch, words, first), False)
    mean, _ = _posterior(model, x)
    message = codec.encode(mean)
    decoded = codec.decode(message)
    pairs = zip(np.array_split(x, len(x) // 100 + 1), np.array_split(decoded, len(x) // 100 + 1), strict=True)
    after = np.concatenate([-model.decoder(tf.constant(z)).log_prob(tf.cast(b, z.dtype)).numpy() for b, z in pairs])
    difference = codec.nats(mean) - promise
    return WireReport(
        promise=float(np.mean(promise)),
        rate=len(message) * math.log(256.0) / len(x),
        code_rate=float(np.mean(codec.nats(mean))),
        overhead_per_dim=float(np.mean(difference)) / codec.latent_dim,
        standard_error=standard_error(difference),
        distortion=float(np.mean(distortion)),
        distortion_after=float(np.mean(after)),
        examples=len(x),
    )


def _posterior(model: AbstractVAE, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation of q for each example, float64 [n, D]."""
    run = compiled(model, ("moments",), lambda x: moments(model.encoder(x)), asks_for_rate=False, xla=False)
    mean, stddev = per_example(model, x, lambda batch, _: run(batch), False)
    return mean.astype(np.float64), stddev.astype(np.float64)


def _frequencies(mass: np.ndarray) -> list[int]:
    """Return whole frequencies in proportion to the mass, each at least 1, of the coder's total."""
    counts = 1 + np.floor(mass / mass.sum() * (TOTAL - len(mass))).astype(np.int64)
    counts[np.argmax(counts)] += TOTAL - counts.sum()
    return counts.tolist()
