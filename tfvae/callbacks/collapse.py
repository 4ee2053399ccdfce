"""A watch over the latent space while a model trains."""

import math
import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae.errors import number_in, positive_int, whole_number_in
from tfvae.random import as_seed


class CollapseWarning(UserWarning):
    """The posterior has collapsed to the prior: z tells nothing of x."""


class CollapseMonitor(keras.callbacks.Callback):
    """Measure the latent space on held-out examples as training goes on, and warn once if it collapses.

        active_units = #{d: Var_x(E[z_d | x]) > threshold}
        held_out_rate = mutual_information + total_correlation + dimension_wise_kl

    At the end of an epoch `active_units`, and the others in nats per example, are added to the logs, where `History`,
    `TensorBoard` and `CSVLogger` find them; callbacks that come before this one in the list do not, so put it first.
    The numbers are NaN in epochs that are not measured, and what a posterior does not define is left out: all but
    `active_units` of a point mass. The mutual information is at most the logarithm of the number of examples.

    The posterior counts as collapsed when no unit is active, in so many measurements one after the other, or at the
    last one. Measuring leaves training as it is: the weights end bit-equal, and steps stay together in one call.

    Args:
        data: held-out examples: an array [n, *event], or a data set of batches [B, *event], read once.
        every: epochs between two measurements; the first epoch of every `fit` is measured.
        examples: how many of the data's first examples are used, at least 2; the time grows as their square.
        threshold: variance of the posterior mean above which a unit is active.
        patience: measurements without an active unit until the warning.
        per_dimension: log the rate of each dimension too, as `rate_z0` and so on, where it is defined.
        two_sample: log `mmd_p_value` and `classifier_p_value` too, of the tests whether the aggregate posterior is the
            prior (`evaluation.aggregate_posterior`).
        seed: one or two 32-bit integers.

    Raises:
        ValueError: if a number is out of range; when training begins, if there are fewer than two examples, or they
            are of another shape or off the support.

    Reference: Y. Burda, R. Grosse and R. Salakhutdinov, "Importance Weighted Autoencoders", 2016, Sec. 5,
    https://arxiv.org/abs/1509.00519; M. Hoffman and M. Johnson, "ELBO surgery", 2016,
    http://approximateinference.org/2016/accepted/HoffmanJohnson2016.pdf.

    Example:
        >>> import keras, numpy as np, tfvae
        >>> x = np.random.default_rng(0).integers(0, 2, [64, 8, 8, 1])
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, seed=0)
        >>> model.compile(keras.optimizers.Adam())
        >>> history = model.fit(x, epochs=1, verbose=0, callbacks=[tfvae.callbacks.CollapseMonitor(x)]).history
        >>> history["active_units"]
        [2]
    """

    every_batch = False

    def __init__(
        self,
        data: object,
        every: int = 1,
        examples: int = 500,
        threshold: float = 0.01,
        patience: int = 3,
        per_dimension: bool = False,
        two_sample: bool = False,
        seed: int | tuple[int, int] = 0,
    ):
        super().__init__()
        self.data = data
        self.every = positive_int("every", every)
        self.examples = whole_number_in("examples", examples, 2, 2**31 - 1)
        self.threshold = number_in("threshold", threshold, 0.0)
        self.patience = positive_int("patience", patience)
        self.per_dimension, self.two_sample = per_dimension, two_sample
        as_seed(seed)
        self.seed = seed
        self._x: Any = ()  # examples, with conditions if the model has one
        self._dead, self._warned = 0, False
        self._names: list[str] = []  # of what is logged

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Read the examples."""
        self._dead, self._warned, self._names = 0, False, []
        self._x = self._x if len(self._x) else self._first()
        if self._count < 2:
            raise ValueError(f"Expected at least two held-out examples. Received: {self._count}")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Measure, if this epoch is one of those, and add the numbers to the logs."""
        now = epoch % self.every == 0 or not self._names
        measured = self._measure() if now else dict.fromkeys(self._names, math.nan)
        self._names = list(measured)
        if logs is not None:
            logs.update(measured)
        if now:
            self._dead = self._dead + 1 if measured["active_units"] == 0 else 0
            if self._dead >= self.patience:
                self._warn()

    def on_train_end(self, logs: dict | None = None) -> None:
        """Warn if training ends in a collapse."""
        if self._dead:
            self._warn()

    def _measure(self) -> dict[str, float]:
        # Models import the callbacks that they know, so that what measures a model is imported when it is there.
        from tfvae.evaluation import latent

        found = latent.active_units(self.model, self._x, self.threshold, progress=False)
        logs = {"active_units": found.count, **self._rates()}
        if self.two_sample:
            tests = latent.aggregate_posterior(self.model, self._x, seed=self.seed, progress=False)
            logs |= {"mmd_p_value": tests.mmd.p_value, "classifier_p_value": tests.classifier.p_value}
        return logs

    def _rates(self) -> dict[str, float]:
        from tfvae.evaluation import latent
        from tfvae.evaluation.latent import ability

        if ability.no_decomposition(self.model):
            return {}
        parts = latent.decompose_rate(self.model, self._x, 1, self.seed, progress=False)
        values = (parts.rate, parts.mutual_information, parts.total_correlation, parts.dimension_wise_kl)
        logs = dict(zip(_PARTS, values, strict=True))
        if self.per_dimension and not ability.no_rate_per_dimension(self.model):
            rates = latent.rate_per_dimension(self.model, self._x, 16, self.seed, progress=False)
            logs |= {f"rate_z{d}": float(rate) for d, rate in enumerate(rates.means)}
        return logs

    @property
    def _count(self) -> int:
        return len(tf.nest.flatten(self._x)[0]) if len(self._x) else 0

    def _first(self) -> object:
        """Return the first examples of the data, checked."""
        from tfvae.models.checks import clearly

        check = self.model.check
        if not isinstance(self.data, tf.data.Dataset):
            return tf.nest.map_structure(lambda part: part[: self.examples], check.array(self.data))
        examples = check(self.data).map(lambda *batch: batch[0]).unbatch().take(self.examples)
        rows: list = clearly(list, examples.as_numpy_iterator())
        return tf.nest.map_structure(lambda *each: np.stack(each), *rows) if rows else ()

    def _warn(self) -> None:
        if self._warned:
            return
        from tfvae.evaluation.latent.activity import REMEDY

        self._warned = True
        warnings.warn(
            f"The posterior has collapsed: no unit of z is active on {self._count} held-out examples, in "
            f"{self._dead} measurements one after the other. Try this: {REMEDY}.",
            CollapseWarning,
            stacklevel=2,
        )


_PARTS = ("held_out_rate", "mutual_information", "total_correlation", "dimension_wise_kl")
