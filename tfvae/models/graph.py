"""Directed acyclic graphs of variables: who depends on whom, and in what order they are drawn."""

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.errors import IncompatibleParts, did_you_mean, event_shape
from tfvae.heads.support import REAL, Support
from tfvae.models.compatibility import describe, distribution_of, support_of
from tfvae.priors.base import Prior


class Variable(NamedTuple):
    """A variable of a directed graph and its distribution given its parents, p(v | parents).

    One parent reaches the conditional as it is; of several, the events are flattened and joined in order.

    Example:
        >>> import tfvae
        >>> from tfvae import heads, networks, priors
        >>> from tfvae.models import Variable
        >>> y = Variable("y", priors.Learned(heads.OneHotCategorical(10)))
        >>> x = Variable("x", tfvae.Conditional(networks.mlp(32), heads.Bernoulli((8, 8, 1))), parents=["y"])
        >>> str(x)
        'p(x | y)'
    """

    name: str
    conditional: keras.layers.Layer
    """A prior of `tfvae.priors` where there are no parents, else a `tfvae.Conditional` or any Keras model whose call
    returns a `tfd.Distribution`."""
    parents: Sequence[str] = ()

    def __str__(self) -> str:
        return f"p({self.name}{' | ' * bool(self.parents)}{', '.join(self.parents)})"


class Given(NamedTuple):
    """A variable on which others depend, without a distribution of its own: what is always known, such as a condition.

    Example:
        >>> from tfvae.models import Given
        >>> Given("c", 3).event_shape
        3
    """

    name: str
    event_shape: int | tuple[int, ...]


class Node(NamedTuple):
    """What a graph knows of a variable once its conditional was tried."""

    name: str
    parents: tuple[str, ...]
    conditional: keras.layers.Layer | None
    event_shape: tuple[int, ...]
    support: Support
    family: str

    def distribution(self, values: dict[str, tf.Tensor], shapes: dict[str, tuple], training: bool) -> tfd.Distribution:
        """Return p(v | parents) for values of the parents, [..., *event] each, whose events have these shapes."""
        if self.conditional is None:
            raise IncompatibleParts(f"Expected a variable with a distribution. Received: {self.name!r}, which is given")
        if not self.parents:
            return self.conditional()
        parents = [values[name] for name in self.parents]
        return self.conditional(joined(parents, [shapes[name] for name in self.parents]), training=training)

    def config(self) -> dict:
        """Return what `variable_of` makes the variable from."""
        conditional = self.conditional and keras.saving.serialize_keras_object(self.conditional)
        return {"name": self.name, "shape": self.event_shape, "parents": self.parents, "conditional": conditional}


def variable_of(config: dict, custom_objects: dict | None) -> Variable | Given:
    """Return the variable of a node's `config`."""
    if config["conditional"] is None:
        return Given(config["name"], tuple(config["shape"]))
    conditional = keras.saving.deserialize_keras_object(config["conditional"], custom_objects=custom_objects)
    return Variable(config["name"], conditional, config["parents"])


def joined(parents: list[tf.Tensor], shapes: list[tuple[int, ...]]) -> tf.Tensor:
    """Return one parent as it is, of several the flattened events side by side, over the batch axes that all have."""
    if len(parents) == 1:
        return parents[0]
    batches = [tf.shape(value)[: value.shape.rank - len(event)] for value, event in zip(parents, shapes, strict=True)]
    common = batches[0]
    for batch in batches[1:]:
        common = tf.broadcast_dynamic_shape(common, batch)
    flat = []
    for value, event, batch in zip(parents, shapes, batches, strict=True):
        size = [tf.TensorShape(event).num_elements()]
        value = tf.reshape(value, tf.concat([batch, size], 0))
        flat.append(tf.broadcast_to(value, tf.concat([common, size], 0)))
    return tf.concat(flat, -1)  # [..., sum of the sizes]


class Graph:
    """Variables in an order in which every parent comes before its children.

    Args:
        variables: with names of their own.
        known: shapes of variables from elsewhere that may be parents too.
        dtype: of the values.

    Raises:
        IncompatibleParts: if a name stands twice, a parent is unknown, the graph has a cycle, or a conditional does not
            fit its parents.
    """

    def __init__(self, variables: Sequence[Variable | Given], known: dict[str, tuple[int, ...]], dtype: str):
        by_name = _named(variables, known)
        parents = {name: () if isinstance(v, Given) else tuple(v.parents) for name, v in by_name.items()}
        self.shapes, self.nodes = dict(known), {}
        values = {name: tf.zeros([1, *shape], dtype) for name, shape in known.items()}
        for name in _ordered(parents):
            if name in known:
                continue
            node = _tried(by_name[name], parents[name], values, self.shapes)
            self.nodes[name], self.shapes[name] = node, node.event_shape
            values[name] = tf.zeros([1, *node.event_shape], dtype)

    def layers(self) -> list[list[str]]:
        """Return the names by their distance from the roots: the parents of a variable are in layers before its own."""
        depth: dict[str, int] = {}
        for name, node in self.nodes.items():
            depth[name] = 1 + max((depth.get(parent, -1) for parent in node.parents), default=-1)
        return [[name for name in depth if depth[name] == level] for level in range(1 + max(depth.values()))]

    def __str__(self) -> str:
        return " ".join(str(Variable(*node[:1], keras.layers.Identity(), node.parents)) for node in self.scored())

    def scored(self) -> list[Node]:
        """Return the variables that have a distribution, in order."""
        return [node for node in self.nodes.values() if node.conditional is not None]


def require_list(variables: Sequence) -> None:
    """Raise IncompatibleParts for anything but a list of variables."""
    listed = isinstance(variables, Sequence) and not isinstance(variables, (Variable, Given))  # which are tuples too
    if not listed or not all(isinstance(each, (Variable, Given)) for each in variables):
        raise IncompatibleParts(
            f"Expected a list of models.Variable and models.Given. Received: variables={variables!r}"
        )


def _named(variables: Sequence[Variable | Given], known: dict[str, tuple[int, ...]]) -> dict[str, Variable | Given]:
    require_list(variables)
    by_name: dict[str, Variable | Given] = {}
    for each in variables:
        if not isinstance(each.name, str) or not each.name.isidentifier():
            raise IncompatibleParts(f"Expected a name such as 'x', for a column of logs too. Received: {each.name!r}")
        if each.name in by_name or each.name in known:
            raise IncompatibleParts(f"Expected every variable once. Received: {each.name!r} twice")
        if isinstance(each, Variable) and (isinstance(each.parents, str) or not isinstance(each.parents, Sequence)):
            raise IncompatibleParts(
                f"Expected parents to be a list of names, such as ['z']. Received: parents={each.parents!r} of "
                f"{each.name!r}"
            )
        by_name[each.name] = each
    names = [*known, *by_name]
    for each in by_name.values():
        for parent in getattr(each, "parents", ()):
            if parent not in names:
                raise IncompatibleParts(
                    f"Expected the parents of {each.name!r} to be variables of the graph: {', '.join(names)}."
                    f"{did_you_mean(parent, names)} Received: {each}"
                )
    return by_name


def _ordered(parents: dict[str, tuple[str, ...]]) -> list[str]:
    try:
        return list(TopologicalSorter(parents).static_order())
    except CycleError as error:
        raise IncompatibleParts(
            "Expected a graph without cycles, because an example is drawn parents first. Received: a cycle, "
            f"{' -> '.join(error.args[1])}"
        ) from None


def _tried(
    variable: Variable | Given, parents: tuple[str, ...], values: dict[str, tf.Tensor], shapes: dict[str, tuple]
) -> Node:
    """Call a conditional once, on one example."""
    if isinstance(variable, Given):
        return Node(variable.name, (), None, event_shape("event_shape", variable.event_shape), REAL, "given")
    conditional = variable.conditional
    if isinstance(conditional, Prior) == bool(parents) or not isinstance(conditional, keras.layers.Layer):
        raise IncompatibleParts(
            f"Expected {variable} to be {'a tfvae.Conditional' if parents else 'a prior, such as priors.Learned(head)'}"
            f". Received: conditional={conditional!r}"
        )
    node = Node(variable.name, parents, conditional, (), REAL, "")
    try:
        found = distribution_of(f"conditional of {variable.name!r}", node.distribution(values, shapes, False))
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        if isinstance(error, IncompatibleParts):
            raise
        given = {name: list(shapes[name]) for name in parents}
        raise IncompatibleParts(
            f"Expected {variable} to accept parents of the shapes {given}; change the network. Received: "
            f"{str(error).splitlines()[0]}"
        ) from error
    batch = () if not parents else (1,)
    if found.batch_shape != batch or not found.event_shape.rank:
        raise IncompatibleParts(
            f"Expected {variable} to be one distribution an example, all axes of {variable.name} in its event; "
            f"use tfd.Independent. Received: batch_shape={list(found.batch_shape)}, event_shape="
            f"{list(found.event_shape)}"
        )
    return node._replace(
        event_shape=tuple(found.event_shape), support=support_of(conditional, found), family=describe(found)
    )
