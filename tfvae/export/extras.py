"""Signatures beyond those that every export has, for whoever asks: draws, scores, decisions, paths."""

import abc

import numpy as np
import tensorflow as tf

from tfvae.distributions.moments import centre
from tfvae.errors import ExportError, positive_int
from tfvae.evaluation.anomaly import Calibration, NegativeELBO
from tfvae.export.inputs import alike, encodable, noise, on_support, or_nan, single
from tfvae.export.signature import Signature, signature
from tfvae.models.variational import AbstractVAE
from tfvae.random import draw, has_rule


class Extra(abc.ABC):
    """One or more signatures that an export has where it is asked for them (abstract).

    Extras are given to `export.saved_model`, `export.tflite` and `export.signatures`, in a list `extras`.
    """

    @abc.abstractmethod
    def signatures(self, model: AbstractVAE) -> dict[str, Signature]:
        """Return the signatures by their names.

        Raises:
            ExportError: if the model cannot offer them, with the reason.
        """


class EncodeSample(Extra):
    """Signature `encode_sample`: a draw z ~ q(z | x), [B, D], from x and a seed.

    Raises:
        ExportError: if the posterior is sampled by TFP alone.

    Example:
        >>> import tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), 2)
        >>> list(tfvae.export.EncodeSample().signatures(model))
        ['encode_sample']
    """

    def signatures(self, model: AbstractVAE) -> dict[str, Signature]:
        _require_rule(model, "encode_sample")

        def encode_sample(x: tf.Tensor, *rest: tf.Tensor) -> dict:
            *c, seed = rest
            z = draw(model.given(*c).encoder(x), 1, noise(seed))[0]  # [B, D]
            return or_nan(encodable(model, x, *c), {"z": z})

        return {"encode_sample": signature(model, encode_sample, "x", *model.condition.names, "seed")}


class Score(Extra):
    """Signature `score`: how anomalous each example is, the negative ELBO in nats, [B], from x and a seed.

    Args:
        samples: draws of z for each example.

    Raises:
        ValueError: if `samples` is no positive whole number.
        ExportError: if the model has no rate, or the posterior is sampled by TFP alone.

    Example:
        >>> import tfvae
        >>> list(tfvae.export.Score(samples=5).signatures(tfvae.zoo.vae((8, 8, 1), 2)))
        ['score']
    """

    def __init__(self, samples: int = 10):
        self.samples = positive_int("samples", samples)

    def signatures(self, model: AbstractVAE) -> dict[str, Signature]:
        require_rate(model, "score")

        def score(x: tf.Tensor, *rest: tf.Tensor) -> dict:
            *c, seed = rest
            return {"score": _score(model, x, self.samples, seed, *c)}

        return {"score": signature(model, score, "x", *model.condition.names, "seed")}


class IsAnomaly(Extra):
    """Signature `is_anomaly`: a decision for each example, with at most `level` false alarms.

        p(x) = (1 + #{i: s_i >= s(x)}) / (n + 1),   is_anomaly(x) = p(x) <= level

    Inputs are x, the level (float32 []) and a seed; outputs `is_anomaly` (int32 [B], 1 for an anomaly), `p_value` and
    `score` in nats, each [B]. The scores of the calibration data are stored inside, so that the level is chosen where
    the model runs. What cannot be decided is an anomaly: a score that is NaN, as that of an example off the support,
    at every level, and all examples at a level that is NaN.

    Args:
        calibration: of `anomaly.calibrate`, with an `anomaly.NegativeELBO` of the model that is exported.

    Raises:
        ExportError: if it is of another score or model.

    Reference: V. Vovk, A. Gammerman and G. Shafer, "Algorithmic Learning in a Random World", 2005.

    Example:
        >>> import numpy as np, tfvae
        >>> from tfvae.evaluation import anomaly
        >>> model = tfvae.zoo.vae((8, 8, 1), 2, seed=0)
        >>> score = anomaly.NegativeELBO(model, samples=2, progress=False)
        >>> calibration = anomaly.calibrate(score, np.zeros([19, 8, 8, 1], "float32"))
        >>> list(tfvae.export.IsAnomaly(calibration).signatures(model))
        ['is_anomaly']
    """

    def __init__(self, calibration: Calibration):
        self.calibration = calibration

    def signatures(self, model: AbstractVAE) -> dict[str, Signature]:
        require_rate(model, "is_anomaly")
        score = self.calibration.score
        if not isinstance(score, NegativeELBO) or score.model.encoder is not model.encoder:
            raise ExportError(
                "Expected a calibration of anomaly.NegativeELBO with the model that is exported, because that is what "
                f"a signature can compute. Received: {getattr(score, 'description', score)!r}"
            )
        calibrated = np.sort(self.calibration.scores).astype(model.variable_dtype)  # [n]

        def is_anomaly(x: tf.Tensor, level: tf.Tensor, seed: tf.Tensor) -> dict:
            found = _score(model, x, score.samples, seed)
            at_least = tf.cast(calibrated[None, :] >= found[:, None], found.dtype)  # [B, n]
            p_value = (1.0 + tf.reduce_sum(at_least, -1)) / (len(calibrated) + 1.0)
            passed = tf.logical_and(p_value > single(level), tf.logical_not(tf.math.is_nan(found)))  # false of NaN
            return {"is_anomaly": tf.where(passed, 0, 1), "p_value": p_value, "score": found}

        return {"is_anomaly": signature(model, is_anomaly, "x", "level", "seed")}


class Interpolate(Extra):
    """Signature `interpolate`: means on the line between two examples, [T, B, *event], from x_a, x_b and `steps` = T.

        z_t = (1 - t) m_a + t m_b,   t = 0, 1 / (T - 1), ..., 1

    m is the point that stands for the posterior, as in `encode`; T is at least 2. As many x_b as x_a, or they are
    refused. Of a model with a condition, both are encoded and decoded at c.

    Example:
        >>> import tfvae
        >>> list(tfvae.export.Interpolate().signatures(tfvae.zoo.vae((8, 8, 1), 2)))
        ['interpolate']
    """

    def signatures(self, model: AbstractVAE) -> dict[str, Signature]:
        def interpolate(x_a: tf.Tensor, x_b: tf.Tensor, *rest: tf.Tensor) -> dict:
            *c, steps = rest
            steps, x_b, at = tf.maximum(steps, 2), alike(x_b, x_a), model.given(*c)
            a, b = centre(at.encoder(x_a)), centre(at.encoder(x_b))  # [B, D]
            t = tf.cast(tf.range(steps), a.dtype) / tf.cast(steps - 1, a.dtype)
            z = a + t[:, None, None] * (b - a)  # [T, B, D]
            holds = tf.logical_and(encodable(model, x_a, *c), encodable(model, x_b, *c))  # [B]
            return or_nan(holds[None], {"x": at.decoder(z).mean()})  # [T, B, *event]

        return {"interpolate": signature(model, interpolate, "x_a", "x_b", *model.condition.names, "steps")}


def _score(model: AbstractVAE, x: tf.Tensor, samples: int, seed: tf.Tensor, *c: tf.Tensor) -> tf.Tensor:
    trace = model.trace(model.condition.batch(x, *c), samples, noise(seed))
    return on_support(model, x, {"score": -trace.elbo}, *c)["score"]  # [B]


def _require_rule(model: AbstractVAE, name: str) -> None:
    q = model.posterior(model.trial())
    if not has_rule(q):
        raise ExportError(
            f"Expected a posterior with a rule for tfvae.random.draw, to offer {name} with the same draws in every "
            f"format. Received: {q.name}"
        )


def require_rate(model: AbstractVAE, name: str) -> None:
    """Refuse a model whose posterior has no density or no rule for its draws, naming the signature."""
    _require_rule(model, name)
    if not model.fits.has_rate:
        raise ExportError(f"Expected a posterior with a density, to offer {name}. Received: a point mass")


def require_no_condition(model: AbstractVAE, name: str) -> None:
    """Refuse a model with a condition, naming the signature."""
    if model.condition.names:
        raise ExportError(
            f"Expected a model without a condition, to offer {name}. Received: {type(model).__name__}, conditioned on "
            f"{', '.join(model.condition.names)}"
        )
