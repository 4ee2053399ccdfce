"""Directed graphs of variables with neural conditionals, observed or, with a recognition model, latent."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from tensorflow_probability import distributions as tfd

from tfvae.errors import IncompatibleParts, positive_int
from tfvae.models.base import weights_of
from tfvae.models.drawing import draw_graph
from tfvae.models.graph import Given, Graph, Variable, variable_of
from tfvae.models.observed import Inputs, Observed, Values
from tfvae.models.recognition import Recognition, Scores, Tensors, mean_of
from tfvae.random import Seed, another, as_seed, draw


@keras.saving.register_keras_serializable(package="tfvae")
class DirectedModel(Observed):
    """A directed acyclic graph of named variables, each with a neural conditional given its parents.

        p(v_1, ..., v_M) = prod_j p(v_j | parents of v_j),   p(v_j | parents) = p(v_j | eta_j(parents))

    With all variables observed, `fit` is maximum likelihood over minibatches. A variable that is missing from the data
    is refused or, if `recognition` has a conditional for it, latent: then `fit` maximises the evidence lower bound

        E_q[sum_j log p(v_j | parents) - sum_latent log q(z_i | its parents in recognition)]

    with the divergences KL(q(z_i | .) || p(z_i | .)) in closed form where one is registered. Values are given and drawn
    as a dictionary by name. Reported are the log-density of each observed variable, the rate of each latent one, and
    their sum: `log_prob`, or `elbo` with latent variables.

    Args:
        variables: `Variable` and `Given`, in any order.
        recognition: `Variable` of the same names: q(z | parents), whose parents are observed, or latent and earlier.
        samples: how many values of the latent variables are drawn for each example in training.
        seed: seed of the noise in training.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Raises:
        IncompatibleParts: if a name stands twice, a parent is unknown, there is a cycle, or two parts do not fit.

    Reference: D. Kingma and M. Welling, "An Introduction to Variational Autoencoders", 2019, Eq. (1.14) and Sec. 1.7.1,
    https://arxiv.org/abs/1906.02691.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae import heads, networks, priors
        >>> from tfvae.models import DirectedModel, Variable
        >>> model = DirectedModel([
        ...     Variable("y", priors.Learned(heads.OneHotCategorical(10))),
        ...     Variable("x", tfvae.Conditional(networks.mlp(32), heads.Bernoulli((8, 8, 1))), parents=["y"]),
        ... ])
        >>> print(model.graph)
        p(y) p(x | y)
        >>> model.log_prob({"x": np.zeros([3, 8, 8, 1]), "y": [0, 1, 2]}).shape
        TensorShape([3])
    """

    def __init__(
        self,
        variables: Sequence[Variable | Given],
        recognition: Sequence[Variable] = (),
        *,
        samples: int = 1,
        seed: int | None = None,
        **kwargs: object,
    ):
        super().__init__(seed=seed, **kwargs)
        self.samples = positive_int("samples", samples)
        self.graph = Graph(variables, {}, self.variable_dtype)
        if not self.graph.scored():
            raise IncompatibleParts(f"Expected a variable with a distribution. Received: variables={variables!r}")
        self.recognition = Recognition(recognition, self.graph, self.variable_dtype)
        self.conditionals = [node.conditional for node in self.graph.scored()]  # where Keras looks for weights
        self.recognisers = [node.conditional for node in self.recognition.nodes.values()]
        values = {
            name: Values(name, node.event_shape, node.support, self.variable_dtype)
            for name, node in self.graph.nodes.items()
        }
        learnable = [node.name for node in self.graph.scored()]
        self.inputs = Inputs(values, list(self.recognition.nodes), learnable)
        total = "elbo" if recognition else "log_prob"
        names = [total, *(f"log_prob_{node.name}" for node in self.graph.scored())]
        names += [f"rate_{name}" for name in self.recognition.nodes]
        self.trackers = [keras.metrics.Mean(name=name) for name in names]
        self._reported = ", ".join(["loss", *names])
        self.built = True

    # What is scored and drawn --------------------------------------------------------------------------------------

    def score(
        self, observed: Tensors, samples: tf.Tensor | int = 1, seed: int | Seed = 0, training: bool = False
    ) -> Scores:
        """Draw the latent variables, those of the graph that are not given, and score all.

        Args:
            observed: values [B, *event] of the observed variables.
            samples: S, draws of each latent variable.
            seed: of the draws.
            training: passed on to the networks.

        Raises:
            ValueError: if a variable is missing that has no recognition.
        """
        self.inputs.require(observed)
        observed = {name: tf.convert_to_tensor(value) for name, value in observed.items()}
        values, posteriors, log_q = self.recognition.draw(observed, samples, as_seed(seed), training)
        families, log_p, rates = {}, {}, {}
        for node in self.graph.scored():
            p = node.distribution(values, self.graph.shapes, training)
            families[node.name], log_p[node.name] = p, p.log_prob(values[node.name])
            if node.name in log_q:
                exact = node.name in self.recognition.exact
                rates[node.name] = (
                    tfd.kl_divergence(posteriors[node.name], p) if exact else log_q[node.name] - log_p[node.name]
                )
        return Scores(values, families, log_p, log_q, rates)

    def log_prob(self, values: Mapping[str, object]) -> tf.Tensor:
        """Return the log-density of all variables, given those that are `Given`, in nats, [B].

        Raises:
            ValueError: for values of another shape, off a support, or missing.
        """
        missing = [name for name in self.graph.nodes if name not in values]
        if missing:
            raise ValueError(
                "Expected values of all variables, because the log-density is that of all together; `elbo` bounds it "
                f"for those that are observed. Received: none of {', '.join(missing)}"
            )
        return self.score(self.arrays(values)).log_weights

    def elbo(self, values: Mapping[str, object], samples: int = 1, seed: int | tuple[int, int] = 0) -> tf.Tensor:
        """Return the evidence lower bound of the variables that are given, in nats, [B]: the mean over S samples.

        Raises:
            ValueError: as `fit` does.
        """
        return self.score(self.arrays(values), positive_int("samples", samples), as_seed(seed)).elbo

    def sample(
        self, n: int, seed: int | tuple[int, int] = 0, given: Mapping[str, object] | None = None
    ) -> dict[str, np.ndarray]:
        """Draw n examples, parents first, [n, *event] for each variable.

        Args:
            n: how many.
            seed: one or two 32-bit integers.
            given: values [n, *event] of the `Given` variables, and of any others that are to be held.

        Raises:
            ValueError: if `n` is not positive, or a `Given` variable has no values or not n of them.
        """
        n, start = positive_int("n", n), as_seed(seed)
        if not isinstance(given or {}, Mapping):
            raise ValueError(f"Expected given= to be a dictionary of values by name. Received: given={given!r:.60}")
        held = {
            name: self.inputs.values[name].array(value)
            for name, value in (given or {}).items()
            if name in self.graph.nodes
        }
        missing = [name for name, node in self.graph.nodes.items() if node.conditional is None and name not in held]
        wrong = [name for name in given or {} if name not in held or len(held[name]) != n]
        if missing or wrong:
            wanted = f"values of {', '.join(missing)}" if missing else f"variables of the graph, with n={n} values each"
            raise ValueError(f"Expected given= to hold {wanted}. Received: given={sorted(given or {})}")
        values: Tensors = {}
        for number, (name, node) in enumerate(self.graph.nodes.items()):
            if name in held:
                values[name] = tf.constant(held[name])
                continue
            p = node.distribution(values, self.graph.shapes, False)
            drawn = draw(p, 1 if node.parents else n, another(start, number))
            values[name] = tf.cast(drawn[0] if node.parents else drawn, self.variable_dtype)
        return {name: value.numpy() for name, value in values.items()}

    # Training ------------------------------------------------------------------------------------------------------

    def arrays(self, values: object) -> dict[str, np.ndarray]:
        """Return checked values by name, or raise ValueError."""
        return self.inputs.arrays(values)

    def checked(self, x: object, y: object) -> tuple:
        return self.inputs.checked(x, y), None

    def _unpack(self, data: object) -> tuple[Tensors, tf.Tensor]:
        values, _, weight = keras.utils.unpack_x_y_sample_weight(data)
        values = {name: tf.cast(value, self.variable_dtype) for name, value in values.items()}
        return values, weights_of(weight, tf.shape(next(iter(values.values())))[0], self.variable_dtype)

    def _bound(self, batch: Tensors, seed: Seed, step: tf.Tensor, training: bool) -> tuple[tf.Tensor, Scores]:
        scores = self.score(batch, self.samples, seed, training)
        return scores.elbo, scores

    def _update_others(self, drawn: Scores, step: tf.Tensor) -> None:
        """Set what the heads do not learn by gradient."""
        for node in self.graph.scored():
            head = getattr(node.conditional, "head", None)
            if head is not None:
                head.update(drawn.values[node.name], drawn.families[node.name], step)

    def _watch(self, drawn: Scores, weight: tf.Tensor) -> dict:
        seen = {f"log_prob_{name}": mean_of(v) for name, v in drawn.log_p.items() if name not in drawn.log_q}
        seen |= {f"rate_{name}": mean_of(rate) for name, rate in drawn.rates.items()}
        seen |= {self.trackers[0].name: drawn.elbo}
        logs = {"loss": self._loss_tracker.result()}
        for tracker in self.trackers:
            if tracker.name in seen:
                tracker.update_state(seen[tracker.name], weight)
                logs[tracker.name] = tracker.result()
        return logs

    # Looking and saving --------------------------------------------------------------------------------------------

    def call(self, values: Tensors) -> tf.Tensor:
        """Return the log-density of each example or, with latent variables, the bound with the noise of seed 0, [B]."""
        return self.score(values).elbo

    def predict(self, x: Mapping[str, object], *args: object, **options: object) -> np.ndarray:
        """Return `call` of many examples as `keras.Model.predict` does.

        Raises:
            ValueError: as `fit` does.
        """
        return super().predict(self.arrays(x), *args, **options)

    def summary(self, *args: object, **options: object) -> None:
        """Print Keras' summary and the graph: each variable with its parents, family and event shape."""
        super().summary(*args, **options)
        say = options.get("print_fn")
        (say if callable(say) else print)(self.describe())

    def describe(self) -> str:
        """Return the factors of the joint density, and a line for each variable."""
        lines = [f"p({', '.join(node.name for node in self.graph.scored())}) = {self.graph}"]
        for name, node in self.graph.nodes.items():
            parents = f" given {', '.join(node.parents)}" if node.parents else ""
            lines.append(f"  {name} {list(node.event_shape)}: {node.family}{parents}")
        for name, node in self.recognition.nodes.items():
            rate = "exact" if name in self.recognition.exact else "Monte Carlo"
            lines.append(f"  q({name} | {', '.join(node.parents)}): {node.family}, rate {rate}")
        return "\n".join(lines)

    def draw(self) -> Figure:
        """Return a picture of the graph: observed variables are grey, given ones squares, recognition is dashed."""
        return draw_graph(self.graph, self.recognition.nodes)

    def get_config(self) -> dict:
        parts = {
            "variables": [node.config() for node in self.graph.nodes.values()],
            "recognition": [node.config() for node in self.recognition.nodes.values()],
        }
        return {**super().get_config(), **parts, "samples": self.samples, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "DirectedModel":
        parts = {
            key: [variable_of(each, custom_objects) for each in config[key]] for key in ("variables", "recognition")
        }
        return cls(**{**config, **parts})
