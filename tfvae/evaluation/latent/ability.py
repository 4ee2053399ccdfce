"""What can be measured for a model: asked of its posterior and prior before anything is computed."""

from tensorflow_probability import distributions as tfd

from tfvae.distributions.factors import factors
from tfvae.distributions.factors import rate_per_dimension as closed_rates
from tfvae.errors import IncompatibleParts
from tfvae.models.variational import AbstractVAE, require_vae
from tfvae.random import as_seed, draw

POINT = (
    "Expected a model whose posterior has a density: with a point mass, rate, mutual information and KL(q(z) || p(z)) "
    "are not defined; measure evaluation.active_units and evaluation.aggregate_posterior"
)


def posterior(model: AbstractVAE) -> tfd.Distribution:
    """Return the posterior of one example, to ask it what it can do.

    Raises:
        ValueError: if the model is none of the library.
    """
    require_vae(model, conditions=True)
    return model.posterior(model.trial())


def prior(model: AbstractVAE) -> tfd.Distribution:
    """Return the prior of one example."""
    return model.at(model.trial())[0].prior()


def separable(distribution: tfd.Distribution) -> bool:
    """Tell whether the elements of a vector are known to be independent."""
    try:
        factors(distribution)
    except IncompatibleParts:
        return False
    return True


def closed(model: AbstractVAE) -> bool:
    """Tell whether KL(q(z_d | x) || p(z_d)) has a closed form."""
    try:
        closed_rates(posterior(model), prior(model))
    except IncompatibleParts:
        return False
    return True


def known_anywhere(model: AbstractVAE) -> bool:
    """Tell whether q(z | x) is known at any z, and not at its own draws only."""
    q = posterior(model)
    try:
        q.log_prob(draw(q, 1, as_seed(0)))
    except NotImplementedError:
        return False
    return True


def no_rate_per_dimension(model: AbstractVAE) -> str:
    """Return why a model has no rate per dimension, nothing if it has one."""
    q = posterior(model)
    if not model.fits.has_rate:
        return f"{POINT}. Received: posterior {model.fits.posterior}"
    if separable(q) and separable(prior(model)):
        return ""
    return (
        "Expected a posterior and a prior of independent elements, such as heads.DiagonalNormal and "
        "priors.StandardNormal: a rate per dimension is not defined for others. "
        f"Received: posterior {model.fits.posterior}, prior {model.fits.prior}"
    )


def no_decomposition(model: AbstractVAE) -> str:
    """Return why the rate of a model cannot be decomposed, nothing if it can."""
    require_vae(model, conditions=True)
    if model.condition.names:
        return (
            "Expected a model without a condition: with one, q(z) and p(z) are those of no prior alone. Received: "
            f"{type(model).__name__} {model.name!r}"
        )
    if not model.fits.has_rate:
        return f"{POINT}. Received: posterior {model.fits.posterior}"
    if not known_anywhere(model):
        return (
            "Expected a posterior whose density is known at any z, as every z is scored under the posteriors of all "
            "examples: not heads.InverseAutoregressive, which scores its own draws only. "
            f"Received: posterior {model.fits.posterior}"
        )
    return ""
