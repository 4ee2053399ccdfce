"""Directed models of examples that only partly have a label: semi-supervised learning."""

from collections.abc import Mapping
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfvae.errors import IncompatibleParts, number_in
from tfvae.heads.scales import OptimalScale
from tfvae.heads.support import ONE_HOT
from tfvae.models import checks
from tfvae.models.base import weights_of
from tfvae.models.directed import DirectedModel
from tfvae.models.graph import Graph, Node, Variable, variable_of
from tfvae.models.observed import Inputs, Observed, Values
from tfvae.models.recognition import Scores, Tensors
from tfvae.random import Seed, as_seed


class Judged(NamedTuple):
    """What the model makes of a batch, in nats."""

    values: Tensors
    """The label is all zeros where it is missing."""
    elbo: tf.Tensor
    """Bound on log p(x, y) where there is a label, else on log p(x), [B]."""
    log_qy: tf.Tensor
    """log q(y | x) of every class, [B, C]."""


@keras.saving.register_keras_serializable(package="tfvae")
class SemiSupervised(Observed):
    """A directed model with a class that is missing in some examples, and a classifier that stands in for it: M2.

        with a label:     L(x, y) + alpha log q(y | x)
        without a label:  sum_y q(y | x) [L(x, y) - log q(y | x)]

    L(x, y) is the directed model's bound on log p(x, y), with its other latent variables drawn. The sum over the
    classes is exact, and all its terms share the noise of z. `fit(values)` takes a dictionary as `DirectedModel` does;
    a label is missing where its number is -1, as in scikit-learn, or NaN, or where there are no labels at all. Calling
    the model, and `predict`, give q(y | x), the probabilities of the classes. Reported are `elbo`, without alpha, in
    nats per example, and the `accuracy` of the labelled examples, NaN without any.

    The reference's M2 takes images for x, and M1+M2 codes of a VAE that was trained without labels, M1.

    Where few examples have labels, give those several times with as many times smaller a `sample_weight`, so that every
    batch has some: what is maximised stays the same.

    Args:
        model: p of all variables, with recognition of those that are always latent.
        classifier: q(y | x), a `Variable` of the label's name whose parents are observed.
        alpha: weight of the classifier's own likelihood for each labelled example, at least 0; the reference takes
            0.1 times the number of all examples over that of the labelled ones.
        seed: seed of the noise in training.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        IncompatibleParts: if the label is no one-hot variable of the model, the classifier does not fit it, or a scale
            of the model is `heads.OptimalScale`, which depends on the class.
        ValueError: if `alpha` is negative.

    Reference: D. Kingma et al., "Semi-supervised Learning with Deep Generative Models", 2014, Eq. (6) to (9),
    https://arxiv.org/abs/1406.5298.

    Example:
        >>> import keras, numpy as np, tfvae
        >>> from tfvae import heads, networks, priors
        >>> from tfvae.models import DirectedModel, SemiSupervised, Variable
        >>> pair = DirectedModel(
        ...     [Variable("y", priors.Learned(heads.OneHotCategorical(3))), Variable("z", priors.StandardNormal(1)),
        ...      Variable("x", tfvae.Conditional(networks.mlp(8), heads.Normal(2)), ["y", "z"])],
        ...     [Variable("z", tfvae.Conditional(networks.mlp(8), heads.DiagonalNormal(1)), ["x", "y"])])
        >>> classifier = Variable("y", tfvae.Conditional(networks.mlp(8), heads.OneHotCategorical(3)), ["x"])
        >>> model = SemiSupervised(pair, classifier, alpha=1.0)
        >>> model.compile(keras.optimizers.Adam(1e-2))
        >>> history = model.fit({"x": np.zeros([4, 2]), "y": [0, -1, 2, -1]}, verbose=0)
        >>> model.predict({"x": np.zeros([4, 2])}, verbose=0).shape
        (4, 3)
    """

    def __init__(
        self,
        model: DirectedModel,
        classifier: Variable,
        alpha: float = 1.0,
        *,
        seed: int | None = None,
        **kwargs: object,
    ):
        super().__init__(seed=seed, **kwargs)
        if not isinstance(model, DirectedModel):
            raise IncompatibleParts(f"Expected a models.DirectedModel. Received: model={model!r}")
        self.alpha = number_in("alpha", alpha, 0)
        _refuse_optimal_scales(model)
        self.model = model
        self.node = _tried(classifier, model, self.variable_dtype)
        self.label, self.classifier, self.classes = self.node.name, self.node.conditional, self.node.event_shape[0]
        tested = dict(model.inputs.values)
        tested[self.label] = _PartLabel(self.label, self.node.event_shape, ONE_HOT, self.variable_dtype)
        self.inputs = Inputs(tested, [*model.inputs.optional, self.label], [])
        self.elbo_tracker = keras.metrics.Mean(name="elbo")
        self.accuracy_tracker = _MeanOfSome(name="accuracy")
        self._reported = "loss, elbo and accuracy"
        self.built = True

    # Scoring -------------------------------------------------------------------------------------------------------

    def judge(self, values: Tensors, seed: Seed, training: bool = False) -> Judged:
        """Bound the density of checked values, whose label is all zeros where it is missing."""
        log_qy, label = self._log_qy(values, training), values[self.label]
        bounds = [self._score(values, tf.one_hot(c, self.classes), seed, training).elbo for c in range(self.classes)]
        bounds = tf.stack(bounds, -1)  # [B, C]
        known = tf.reduce_sum(tf.where(label > 0, bounds, 0.0), -1)
        inferred = tf.reduce_sum(tf.exp(log_qy) * (bounds - log_qy), -1)
        return Judged(values, tf.where(_is_known(label), known, inferred), log_qy)

    def _score(self, values: Tensors, label: tf.Tensor, seed: Seed, training: bool) -> Scores:
        """Score the directed model with these labels, or with this one for every example."""
        label = tf.cast(label, self.variable_dtype) + tf.zeros_like(values[self.label])
        return self.model.score({**values, self.label: label}, self.model.samples, seed, training)

    def _log_qy(self, values: Tensors, training: bool) -> tf.Tensor:
        q = self.node.distribution(values, self.model.graph.shapes, training)
        return tf.transpose(q.log_prob(tf.eye(self.classes, dtype=self.variable_dtype)[:, None]))  # [B, C]

    def elbo(self, values: Mapping[str, object], seed: int | tuple[int, int] = 0) -> tf.Tensor:
        """Return the bound on log p(x, y) where there is a label, else on log p(x), in nats, [B], without alpha.

        Raises:
            ValueError: as `fit` does.
        """
        checked = {name: tf.constant(value) for name, value in self.arrays(values).items()}
        return self.judge(checked, as_seed(seed)).elbo

    def call(self, values: Tensors, training: bool = False) -> tf.Tensor:
        return tf.exp(self._log_qy(values, training))

    def predict(self, x: Mapping[str, object], *args: object, **options: object) -> np.ndarray:
        """Return q(y | x), the probabilities of the classes, [n, C], as `keras.Model.predict` does.

        `evaluation.class_posterior` gives those of the generative model.

        Raises:
            ValueError: as `fit` does.
        """
        return super().predict(self.arrays(x), *args, **options)

    # Training ------------------------------------------------------------------------------------------------------

    def arrays(self, values: object) -> dict[str, np.ndarray]:
        """Return checked values by name, a missing label as zeros, or raise ValueError."""
        arrays = self.inputs.arrays(values)
        if self.label not in arrays:
            arrays[self.label] = np.zeros([len(next(iter(arrays.values()))), self.classes], self.variable_dtype)
        return arrays

    def checked(self, x: object, y: object) -> tuple:
        checked = self.inputs.checked(x, y)
        spec = x.element_spec if isinstance(x, tf.data.Dataset) else ()
        if isinstance(spec, tuple) and len(spec) > 1 and self.label not in spec[0]:
            raise ValueError(
                f"Expected all values in one dictionary, the labels of {self.label!r} too. Received: batches of "
                f"{', '.join(spec[0])} with something beside them"
            )
        return (self.arrays(x), None) if isinstance(checked, Mapping) else (checked, None)

    def _unpack(self, data: object) -> tuple[Tensors, tf.Tensor]:
        values, _, weight = keras.utils.unpack_x_y_sample_weight(data)
        values = {name: tf.cast(value, self.variable_dtype) for name, value in values.items()}
        examples = tf.shape(next(iter(values.values())))[0]
        label = values.get(self.label, tf.zeros([examples, self.classes], self.variable_dtype))
        return {**values, self.label: label}, weights_of(weight, examples, self.variable_dtype)

    def _bound(self, batch: Tensors, seed: Seed, step: tf.Tensor, training: bool) -> tuple[tf.Tensor, Judged]:
        judged = self.judge(batch, seed, training)
        return judged.elbo + self.alpha * tf.reduce_sum(batch[self.label] * judged.log_qy, -1), judged

    def _update_others(self, drawn: Judged, step: tf.Tensor) -> None:
        """Do nothing: parts that are not learned by gradient were refused."""

    def _watch(self, drawn: Judged, weight: tf.Tensor) -> dict:
        self.elbo_tracker.update_state(drawn.elbo, weight)
        label = drawn.values[self.label]
        right = tf.equal(tf.argmax(drawn.log_qy, -1), tf.argmax(label, -1))
        known = tf.cast(_is_known(label), weight.dtype)
        self.accuracy_tracker.update_state(tf.cast(right, weight.dtype), weight * known)
        trackers = (self._loss_tracker, self.elbo_tracker, self.accuracy_tracker)
        return {tracker.name: tracker.result() for tracker in trackers}

    # Looking and saving --------------------------------------------------------------------------------------------

    def describe(self) -> str:
        """Return the factors of the joint density, a line for each variable, and the classifier."""
        given = ", ".join(self.node.parents)
        line = f"  q({self.label} | {given}): {self.node.family} where it is missing, alpha = {self.alpha:g}"
        return f"{self.model.describe()}\n{line}"

    def get_config(self) -> dict:
        model = keras.saving.serialize_keras_object(self.model)
        own = {"model": model, "classifier": self.node.config(), "alpha": self.alpha, "seed": self.seed}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "SemiSupervised":
        model = keras.saving.deserialize_keras_object(config["model"], custom_objects=custom_objects)
        return cls(**{**config, "model": model, "classifier": variable_of(config["classifier"], custom_objects)})


class _MeanOfSome(keras.metrics.Mean):
    """A mean that is unknown, NaN, until something was counted."""

    def result(self) -> tf.Tensor:
        return tf.where(self.count > 0, super().result(), float("nan"))


class _PartLabel(Values):
    """The check of a label that may be missing, which becomes zeros."""

    def array(self, values: object) -> np.ndarray:
        label = np.asarray(checks.with_gaps(values))
        if label.dtype.kind not in "iuf" or label.shape[1:] not in ((), self.event_shape):
            return super().array(values)
        missing = np.isnan(label) | (label == -1)
        missing = missing if label.ndim == 1 else np.isnan(label).all(-1)
        first = np.zeros([]) if label.ndim == 1 else np.eye(label.shape[1])[0]  # any class, for the check to pass
        known = super().array(np.where(missing.reshape(-1, *[1] * first.ndim), first, label))
        return np.where(missing[:, None], 0, known).astype(self.dtype)

    def tensor(self, values: tf.Tensor) -> tf.Tensor:
        label = tf.cast(values, self.dtype)
        if label.shape.rank not in (1, 2):
            return super().tensor(values)
        if label.shape.rank == 1:
            missing = tf.math.is_nan(label) | tf.equal(label, -1)
            known = super().tensor(tf.where(missing, 0.0, label))
        else:
            missing = tf.reduce_all(tf.math.is_nan(label), -1)
            known = super().tensor(tf.where(missing[:, None], tf.one_hot(0, label.shape[1], dtype=self.dtype), label))
        return tf.where(missing[:, None], 0.0, known)


def _tried(classifier: Variable, model: DirectedModel, dtype: str) -> Node:
    """Check a classifier against the model's label."""
    name = getattr(classifier, "name", None)
    known = {
        each: model.graph.shapes[each] for each in sorted(model.inputs.values) if each not in model.inputs.optional
    }
    if not isinstance(classifier, Variable) or name not in known or not classifier.parents:
        raise IncompatibleParts(
            "Expected the classifier to be a models.Variable with the name of an observed variable, one of "
            f"{', '.join(known)}, and with parents. Received: classifier={classifier!r}"
        )
    own = model.graph.nodes[name]
    node = Graph([classifier], {each: shape for each, shape in known.items() if each != name}, dtype).nodes[name]
    if (
        own.support is not ONE_HOT
        or own.conditional is None
        or node.support is not ONE_HOT
        or (node.event_shape != own.event_shape)
    ):
        raise IncompatibleParts(
            f"Expected {name!r} to be a class in the model and in the classifier, heads.OneHotCategorical(classes) in "
            f"both. Received: {own.family} {list(own.event_shape)} and {node.family} {list(node.event_shape)}"
        )
    return node


def _is_known(label: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(label, -1) > 0


def _refuse_optimal_scales(model: DirectedModel) -> None:
    """Raise IncompatibleParts for scales set to the error of a value: here that depends on a class nobody knows."""
    for node in model.graph.scored():
        layers = node.conditional._flatten_layers() if node.conditional is not None else ()
        if any(isinstance(layer, OptimalScale) for layer in layers):
            raise IncompatibleParts(
                "Expected scales that are learned by gradient, such as heads.SharedScale(1.0): the optimal one depends "
                f"on the class, which is missing in some examples. Received: OptimalScale in p({node.name} | ...)"
            )
