"""Latent variables of a directed graph: how they are recognised, drawn and scored."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.errors import IncompatibleParts
from tfvae.models.compatibility import exact_rate
from tfvae.models.graph import Graph, Node, Variable, require_list
from tfvae.random import Seed, another, draw_and_score

Tensors = dict[str, tf.Tensor]


class Scores(NamedTuple):
    """What a graph drew for a batch, and how likely it was, in nats."""

    values: Tensors
    """Of every variable: observed [B, *event], latent [S, B, *event]."""
    families: dict[str, tfd.Distribution]
    """p(v | parents) of every variable with a distribution."""
    log_p: Tensors
    """log p(v | parents) of every variable with a distribution, [B] or [S, B]."""
    log_q: Tensors
    """log q(v | parents) of every latent variable, [S, B]."""
    rates: Tensors
    """KL(q(v | parents) || p(v | parents)) of every latent variable, [B] or [S, B]: exact, or log q - log p."""

    @property
    def elbo(self) -> tf.Tensor:
        """The evidence lower bound, or without latent variables the log-density itself, [B]."""
        observed = [mean_of(value) for name, value in self.log_p.items() if name not in self.log_q]
        return tf.add_n([*observed, *(-mean_of(rate) for rate in self.rates.values())])

    @property
    def log_weights(self) -> tf.Tensor:
        """Log p(x, z_s) - log q(z_s | x), [S, B], or without latent variables log p(x), [B]."""
        return sum(self.log_p.values()) - sum(self.log_q.values())


def mean_of(value: tf.Tensor) -> tf.Tensor:
    """Return [B] from [S, B] or [B]."""
    return value if value.shape.rank == 1 else tf.reduce_mean(value, 0)


class Recognition:
    """The posteriors of the latent variables, in the order in which they are drawn.

    Args:
        variables: q(z | parents), whose parents are observed, or latent and earlier.
        graph: of the model.
        dtype: of the values.

    Raises:
        IncompatibleParts: if a posterior does not fit the distribution of its variable.
    """

    def __init__(self, variables: Sequence[Variable], graph: Graph, dtype: str):
        require_list(variables)
        names = [each.name for each in variables]
        observed = {name: shape for name, shape in graph.shapes.items() if name not in names}
        self.shapes = graph.shapes
        self.nodes = Graph(variables, observed, dtype).nodes
        self.exact = {name for name, node in self.nodes.items() if _is_exact(graph, node, dtype)}

    def draw(
        self, observed: Tensors, samples: tf.Tensor | int, seed: Seed, training: bool
    ) -> tuple[Tensors, dict[str, tfd.Distribution], Tensors]:
        """Return the values of all variables, and of those that were drawn the posterior and log q, [S, B]."""
        values, posteriors, log_q = dict(observed), {}, {}
        for number, (name, node) in enumerate(self.nodes.items()):
            if name in observed:
                continue
            q = node.distribution(values, self.shapes, training)
            alone = q.batch_shape.rank == 1  # [B]; given another latent variable [S, B], of which one draw each
            z, score = draw_and_score(q, samples if alone else 1, another(seed, number))
            z, score = (z, score) if alone else (z[0], score[0])  # [S, B, *event], [S, B]
            # A draw adds its noise by broadcasting, where TensorFlow forgets an axis of length 1 that networks are
            # built for.
            values[name], log_q[name] = tf.ensure_shape(z, [None, None, *self.shapes[name]]), score
            posteriors[name] = q
        return values, posteriors, log_q


def _is_exact(graph: Graph, node: Node, dtype: str) -> bool:
    """Check a posterior against the distribution of its variable, and tell whether their divergence is known."""
    own = graph.nodes.get(node.name)
    if own is None or own.conditional is None:
        raise IncompatibleParts(
            f"Expected recognition of variables with a distribution in the graph, {graph}. Received: {node.name!r}"
        )
    values = {name: tf.zeros([1, *shape], dtype) for name, shape in graph.shapes.items()}
    q, p = (each.distribution(values, graph.shapes, False) for each in (node, own))
    if q.event_shape != p.event_shape or node.support is not own.support:
        raise IncompatibleParts(
            f"Expected q and p of {node.name!r} over the same values. Received: q {q.name} with event_shape="
            f"{list(q.event_shape)} on {node.support.description}, p {p.name} with event_shape={list(p.event_shape)} "
            f"on {own.support.description}"
        )
    if q.reparameterization_type != tfd.FULLY_REPARAMETERIZED or not q.batch_shape.rank:
        raise IncompatibleParts(
            f"Expected a reparameterised posterior of {node.name!r} given what is observed, such as "
            "heads.DiagonalNormal, because its parameters are learned through its draws. Received: "
            f"{q.name} ({q.reparameterization_type}), given {list(node.parents)}"
        )
    return exact_rate(q, p)
