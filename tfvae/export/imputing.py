"""A signature that fills gaps: what a model expects where nothing was observed."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.observed import ObservedElements, SelfMaskedElements
from tfvae.errors import ExportError, positive_int
from tfvae.export.extras import Extra, require_no_condition, require_rate
from tfvae.export.inputs import alike, noise, or_nan
from tfvae.export.signature import Signature, signature
from tfvae.heads.base import Elements
from tfvae.models.variational import AbstractVAE
from tfvae.random import Seed, draw, draw_and_score

_DRAWS = 16  # of the prior, for what stands in the gaps at first


class Impute(Extra):
    """Signature `impute`: the expected values of what is missing, from x, a mask (1 observed, 0 missing) and a seed.

        E[x_m | x_o] ~ sum_k w_k E[x_m | z_k],   w_k ~ p(x_o | z_k) p(z_k) / q(z_k | x_o, x_m),   z_k ~ q(z | x_o, x_m)

    Outputs are `x`, [B, *event], observed values as they came, and `effective_sample_size`, 1 / sum_k w_k^2, [B]: where
    it is close to 1, K is too small. Each round fills the gaps with the estimate of the one before, so that the
    posterior it draws from fits the observed values better; the weights make every round consistent as K grows. What
    stands in a gap of x is never read; it may be NaN. An example with an observed value that is NaN or off the support,
    or with NaN in its mask, gives NaN. A mask of another size than x is refused.

    Args:
        rounds: how often the gaps are filled.
        samples: K, importance samples of a round.

    Raises:
        ValueError: if an argument is no positive whole number.
        ExportError: if the elements of x are not independent given z, the model has no rate, or the posterior is
            sampled by TFP alone.

    Reference: D. Rezende, S. Mohamed and D. Wierstra, "Stochastic Backpropagation and Approximate Inference in Deep
    Generative Models", 2014, App. F, https://arxiv.org/abs/1401.4082; the weights: P.-A. Mattei and J. Frellsen,
    "MIWAE: Deep Generative Modelling and Imputation of Incomplete Data Sets", 2019, Sec. 3,
    https://arxiv.org/abs/1812.02633.

    Example:
        >>> import tfvae
        >>> list(tfvae.export.Impute(rounds=2).signatures(tfvae.zoo.vae((8, 8, 1), 2)))
        ['impute']
    """

    def __init__(self, rounds: int = 5, samples: int = 20):
        self.rounds, self.samples = positive_int("rounds", rounds), positive_int("samples", samples)

    def signatures(self, model: AbstractVAE) -> dict[str, Signature]:
        require_rate(model, "impute")
        require_no_condition(model, "impute")
        prior = draw(model.prior(), _DRAWS, Seed(tf.constant([0, 0])))
        elements(model.decoder(prior))  # refuses here, not on the first call
        first = tf.reduce_mean(model.decoder(prior).mean(), 0).numpy()  # [*event], a constant of the export

        def impute(x: tf.Tensor, mask: tf.Tensor, seed: tf.Tensor) -> dict:
            mask = alike(mask, x)
            observed = mask > 0.5
            known = tf.logical_and(model.fits.support.contains(x), tf.logical_not(tf.math.is_nan(x)))
            fit = tf.where(observed, known, tf.logical_not(tf.math.is_nan(mask)))
            holds = tf.reduce_all(fit, tf.range(1, tf.rank(x)))  # [B]
            filled, size = tf.where(observed, x, first), tf.zeros(tf.shape(x)[:1], x.dtype)
            for number in range(self.rounds):
                place = noise(seed)._replace(sample=number * self.samples)
                expected, size = self._expected(model, filled, observed, place)
                filled = tf.where(observed, x, expected)
            return or_nan(holds, {"x": filled, "effective_sample_size": size})

        return {"impute": signature(model, impute, "x", "mask", "seed")}

    def _expected(
        self, model: AbstractVAE, filled: tf.Tensor, observed: tf.Tensor, seed: Seed
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return E[x | x_o] by importance sampling from q(z | filled), [B, *event], and the effective sample size."""
        z, log_qz = draw_and_score(model.encoder(filled), self.samples, seed)  # [K, B, D], [K, B]
        px = model.decoder(z)
        each = elements(px).log_prob(filled)  # [K, B, *event]
        observed = tf.broadcast_to(observed, tf.shape(each))
        axes = list(range(2, each.shape.rank))
        log_px = tf.reduce_sum(tf.where(observed, each, tf.zeros_like(each)), axes)
        weights = tf.nn.softmax(log_px + model.prior().log_prob(z) - log_qz, 0)  # [K, B]
        spread = tf.reshape(weights, tf.concat([tf.shape(weights), tf.ones([len(axes)], tf.int32)], 0))
        return tf.reduce_sum(spread * px.mean(), 0), 1.0 / tf.reduce_sum(tf.square(weights), 0)


def elements(px: tfd.Distribution) -> tfd.Distribution:
    """Return the distributions of the elements of x, which are independent given z, with batch shape [..., *event].

    Raises:
        ExportError: if they are not.
    """
    if isinstance(px, Elements) or type(px) is ObservedElements:
        return px.distribution
    if isinstance(px, SelfMaskedElements):
        raise ExportError(
            "Expected values that are missing at random, heads.AtRandom(), to offer impute; evaluation.impute fills "
            "those that hide themselves. Received: heads.SelfMasking()"
        )
    if isinstance(px, tfd.MultivariateNormalDiag):
        return tfd.Normal(px.mean(), px.stddev())
    raise ExportError(
        "Expected a likelihood under which the elements of x are independent, so that missing ones can be left out, "
        f"to offer impute. Received: {px.name}"
    )
