"""The evidence of directed models with discrete latent variables, by enumeration."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from tfvae.errors import one_of, positive_int
from tfvae.heads.support import BINARY, ONE_HOT
from tfvae.models.checks import with_gaps
from tfvae.models.directed import DirectedModel
from tfvae.models.graph import Node


@dataclass(frozen=True)
class Enumeration:
    """The sum over all values of the latent variables."""

    per_example: np.ndarray
    """Log p(x) of each example, in nats."""
    values: dict[str, np.ndarray]
    """Every combination of values of the latent variables, [C, *event] of each."""
    log_posterior: np.ndarray
    """Log p(z | x) of each combination, [C, n]."""

    def posterior_mean(self, name: str) -> np.ndarray:
        """Return E[v | x] of a latent variable, [n, *event]: the probabilities of its classes, or of its ones.

        Raises:
            ValueError: if there is no latent variable of this name.
        """
        one_of("name", name, self.values)
        return np.tensordot(np.exp(self.log_posterior).T, self.values[name], 1)


def enumerate_latents(model: DirectedModel, values: Mapping[str, object], *, combinations: int = 2**20) -> Enumeration:
    """Compute log p(x) of a directed model whose latent variables are discrete, by summing over all their values.

        log p(x) = log sum_z p(x, z),   p(z | x) = p(x, z) / p(x)

    Args:
        model: a `models.DirectedModel`.
        values: of the observed variables, [n, *event] each; all others must be one-hot or binary.
        combinations: how many values of the latent variables, together, are allowed.

    Raises:
        TypeError: if `model` is no directed model.
        ValueError: if `values` is no dictionary of variables of the model, a missing variable is continuous or has no
            distribution, or there are too many combinations.

    Reference: C. Bishop, "Pattern Recognition and Machine Learning", 2006, Eq. (8.54).

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae import heads, networks, priors
        >>> from tfvae.models import DirectedModel, Variable
        >>> model = DirectedModel([
        ...     Variable("z", priors.Learned(heads.OneHotCategorical(3))),
        ...     Variable("x", tfvae.Conditional(networks.mlp(), heads.DiagonalNormal(2)), parents=["z"]),
        ... ])
        >>> found = tfvae.evaluation.exact.enumerate_latents(model, {"x": np.zeros([5, 2])})
        >>> found.posterior_mean("z").sum(-1).round(5)
        array([1., 1., 1., 1., 1.])
    """
    if not isinstance(model, DirectedModel):
        raise TypeError(f"Expected a models.DirectedModel. Received: model={model!r}")
    combinations = positive_int("combinations", combinations)
    given = _checked(model, values)
    latent = [node for name, node in model.graph.nodes.items() if name not in given]
    count = math.prod(_count(node) for node in latent)
    if not latent or count > combinations:
        raise ValueError(
            f"Expected latent variables with at most {combinations} combinations of values. Received: "
            f"{count} of {', '.join(node.name for node in latent) or 'none, all variables have values'}"
        )
    examples = len(next(iter(given.values()), ()))
    observed = model.arrays({**given, **{node.name: _all(node)[:1].repeat(examples, 0) for node in latent}})
    tables = list(itertools.product(*(range(_count(node)) for node in latent)))
    every = {node.name: _all(node)[[row[i] for row in tables]] for i, node in enumerate(latent)}  # [C, *event]
    typed = {name: value.astype(observed[name].dtype) for name, value in every.items()}
    joint = []
    for row in range(count):
        drawn = {name: np.broadcast_to(value[row], observed[name].shape) for name, value in typed.items()}
        joint.append(model.score({**observed, **drawn}).log_weights.numpy().astype(np.float64))
    table = np.stack(joint)  # [C, n]
    evidence = logsumexp(table, 0)
    return Enumeration(evidence, every, table - evidence)


def _checked(model: DirectedModel, values: Mapping[str, object]) -> dict[str, np.ndarray]:
    """Return the arrays of the variables that are observed, or raise ValueError."""
    names = model.graph.nodes
    if not isinstance(values, Mapping) or not values:
        raise ValueError(
            f"Expected a dictionary of values by the names of the variables, {', '.join(names)}. "
            f"Received: {'no values' if isinstance(values, Mapping) else type(values).__name__}"
        )
    for name in values:
        one_of("the name of every variable", name, names)
    return {name: model.inputs.values[name].array(with_gaps(value)) for name, value in values.items()}


def _count(node: Node) -> int:
    if node.conditional is None:
        raise ValueError(
            f"Expected values of {node.name!r}, which is models.Given and has no distribution to sum over. "
            "Received: none"
        )
    if node.support is ONE_HOT:
        return node.event_shape[0]
    if node.support is BINARY:
        return 2 ** math.prod(node.event_shape)
    raise ValueError(
        f"Expected values of {node.name!r}, or a head of one-hot or binary values, whose values can be counted. "
        f"Received: none, and {node.family} on {node.support.description}"
    )


def _all(node: Node) -> np.ndarray:
    """Return all values of a variable, [C, *event]."""
    if node.support is ONE_HOT:
        return np.eye(node.event_shape[0])
    bits = itertools.product((0.0, 1.0), repeat=math.prod(node.event_shape))
    return np.array(list(bits)).reshape(-1, *node.event_shape)
