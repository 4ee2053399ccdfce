"""The rate, taken apart: what z tells of x, and how far the aggregate posterior is from the prior."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.distributions.factors import factors
from tfvae.distributions.factors import rate_per_dimension as closed_rates
from tfvae.errors import positive_int
from tfvae.evaluation.batches import compiled, per_example, standard_error
from tfvae.evaluation.latent import ability
from tfvae.evaluation.latent.mixture import LogDensities, log_densities
from tfvae.evaluation.latent.terms import NAMES, RateDecomposition
from tfvae.models.variational import AbstractVAE
from tfvae.random import Seed, as_seed, draw_and_score


def decompose_rate(
    model: AbstractVAE,
    data: object,
    samples: int = 1,
    seed: int | tuple[int, int] = 0,
    *,
    progress: bool = True,
) -> RateDecomposition:
    """Split the mean rate into mutual information and what lies between the aggregate posterior and the prior.

        E_x[KL(q(z | x) || p(z))] = I_q(x; z) + KL(q(z) || p(z))
        KL(q(z) || p(z)) = KL(q(z) || prod_d q(z_d)) + sum_d KL(q(z_d) || p(z_d)),   q(z) = 1/N sum_n q(z | x_n)

    q(z) is the mixture of the posteriors of all N examples that are given, exactly; only the expectation over z is
    taken by draws. For these N examples the terms have no bias; as estimates for the distribution that they come from,
    the mutual information is too low, never more than log N, and KL(q(z) || p(z)) and the total correlation are too
    high. `mutual_information_bound` leaves out of q(z) the example that z was drawn for, and is too high instead: the
    truth lies between the two. The time grows as N^2, the memory as N.

    Args:
        model: a model of the library.
        data: an array of examples [n, *event], or a data set of batches [B, *event].
        samples: draws of z for each example.
        seed: one or two 32-bit integers.
        progress: show a progress bar.

    Returns:
        A `RateDecomposition`, in nats per example. Total correlation and the rate of dimensions are left out, and the
        reason is given, where the elements of posterior or prior are not independent.

    Raises:
        ValueError: if `samples` is not positive, there are fewer than two examples, the posterior is a point mass or
            scores its own draws only, or the data is of another shape or off the support.

    Reference: M. Hoffman and M. Johnson, "ELBO surgery", 2016,
    http://approximateinference.org/2016/accepted/HoffmanJohnson2016.pdf; R. Chen et al., "Isolating Sources of
    Disentanglement in Variational Autoencoders", 2018, Eq. (2), https://arxiv.org/abs/1802.04942; the two bounds:
    B. Poole et al., "On Variational Bounds of Mutual Information", 2019, Sec. 2, https://arxiv.org/abs/1905.06922.

    Example:
        >>> import numpy as np, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, seed=0)
        >>> x = np.zeros([3, 8, 8, 1], "float32")  # all the same, so that z tells nothing of x
        >>> abs(tfvae.evaluation.decompose_rate(model, x, progress=False).mutual_information) < 1e-4
        True
    """
    samples, start = positive_int("samples", samples), as_seed(seed)
    if refused := ability.no_decomposition(model):
        raise ValueError(refused)
    ways = _Ways(ability.separable(ability.posterior(model)), ability.separable(model.prior()), ability.closed(model))
    measure = compiled(model, ("decompose_rate", samples), _draws(model, samples, ways), xla=False)
    x, z, own, prior, own_parts, rates = per_example(
        model, data, lambda x, index: measure(x, start.words, start.example + index), progress
    )
    if len(x) < 2:
        raise ValueError(f"Expected at least two examples, which q(z) is a mixture of. Received: {len(x)}")
    owners = np.repeat(np.arange(len(x), dtype=np.int32), samples)
    mixture = log_densities(model, x, z.reshape(-1, z.shape[-1]), owners, ways.separable, progress)
    parts = LogDensities(*(part.reshape(len(x), samples, *part.shape[1:]) for part in mixture))  # [n, S, ...]
    return _terms(_Own(own, prior, own_parts, rates), parts, model, ways)


class _Ways(NamedTuple):
    """What the families of posterior and prior allow."""

    separable: bool  # the posterior's elements are independent
    both: bool  # the prior's too, if the posterior's are
    closed: bool  # each element has a rate in closed form


class _Own(NamedTuple):
    """What is known of each example without the others."""

    log_q: np.ndarray  # log q(z | x), [n, S]
    log_p: np.ndarray  # log p(z), [n, S]
    parts: np.ndarray  # log q(z_d | x), [n, S, D] or [n, S, 0]
    rates: np.ndarray  # of each dimension, or in one, [n, D] or [n, 1]


def _draws(model: AbstractVAE, samples: int, ways: _Ways) -> Callable:
    """Return a function that draws z and scores it under posterior and prior."""

    def of(x: tf.Tensor, words: tf.Tensor, first: tf.Tensor) -> tuple[tf.Tensor, ...]:
        q, p = model.encoder(x), model.prior()
        z, log_q = draw_and_score(q, samples, Seed(words, example=first))  # [S, B, D], [S, B]
        log_p, parts = p.log_prob(z), z[..., :0]
        if ways.separable:
            parts = factors(q).log_prob(z)  # [S, B, D]
            log_q = tf.reduce_sum(parts, -1)
        if ways.separable and ways.both:
            rates = closed_rates(q, p) if ways.closed else tf.reduce_mean(parts - factors(p).log_prob(z), 0)  # [B, D]
        else:
            rates = model.rate(q, p, log_q - log_p)[:, None]  # [B, 1]
        scores = (tf.cast(part, tf.float64) for part in (log_q, log_p, parts))
        by_example = (tf.einsum("sb...->bs...", part) for part in scores)
        return tf.convert_to_tensor(x), tf.einsum("sbd->bsd", z), *by_example, tf.cast(rates, tf.float64)

    return of


def _terms(own: _Own, mixture: LogDensities, model: AbstractVAE, ways: _Ways) -> RateDecomposition:
    """Average what each example contributes; KL(q(z) || p(z)) is the rate less the information, so that they add up.

    To first order the error of each term is that of this mean, although q(z) depends on the data too: a divergence of
    the mixture does not move with the weight of an example by more than what that example contributes itself.
    """
    rate, information = own.rates.sum(1), (own.log_q - mixture.joint).mean(1)  # [n]
    terms = {
        "rate": rate,
        "mutual_information": information,
        "marginal_kl": rate - information,
        "mutual_information_bound": (own.log_q - mixture.others).mean(1),
    }
    columns, undefined = {}, []
    if ways.separable:
        columns["information"] = (own.parts - mixture.marginals).mean(1)  # of z_d alone, [n, D]
        terms["total_correlation"] = (mixture.joint - mixture.marginals.sum(-1)).mean(1)
    else:
        undefined.append(_undefined("Total correlation and dimension-wise KL", "posterior", model.fits.posterior))
    if ways.separable and ways.both:
        columns["kl"] = own.rates - columns["information"]
        terms["dimension_wise_kl"] = columns["kl"].sum(1)
    elif ways.separable:
        undefined.append(_undefined("Dimension-wise KL", "prior", model.fits.prior))
    return RateDecomposition(
        **{name: float(terms[name].mean()) if name in terms else math.nan for name in NAMES},
        standard_errors={name: standard_error(values) for name, values in terms.items()},
        per_dimension={name: values.mean(0) for name, values in columns.items()},
        per_dimension_standard_errors={
            name: np.array([standard_error(column) for column in values.T]) for name, values in columns.items()
        },
        undefined=tuple(undefined),
        samples=own.log_q.shape[1],
        examples=len(rate),
    )


def _undefined(what: str, part: str, family: str) -> str:
    return f"{what} left out: the elements of the {part} {family} are not independent."
