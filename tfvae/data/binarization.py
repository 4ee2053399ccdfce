"""What becomes of grey pixels: kept, drawn once, or drawn again in every epoch."""

import abc
import dataclasses

import numpy as np
import tensorflow as tf

from tfvae.data import _checks
from tfvae.data.stored import Stored
from tfvae.random import Seed, uniform

_ROWS = 1024  # examples drawn at a time, which bounds the memory of the float32 uniforms
# The second half of a key of a draw that is made once.
_ONCE = {"train": -1, "validation": -2, "test": -3}
_STREAM = 2  # of the noise: models draw z from the streams 0 and 1 of the same seeds


def _bernoulli_once(p: tf.Tensor, seed: int, stream: int, batch: int) -> tf.Tensor:
    """Draw x ~ Bernoulli(p) as float32, a function of (seed, stream, batch) alone, the same in every version."""
    # Philox is named because the automatic choice differs between devices.
    key = tf.stack([tf.constant(seed, tf.int64), tf.cast(stream, tf.int64)])
    key = tf.random.fold_in(key, tf.cast(batch, tf.int64), alg="philox")
    # u < p with u in [0, 1): p = 0 never gives a one, p = 1 always does.
    return tf.cast(tf.random.stateless_uniform(tf.shape(p), key, alg="philox") < p, tf.float32)


def _drawn_once(stored: Stored, seed: int, split: str) -> Stored:
    """Draw every example of a split once, as uint8 zeros and ones."""
    drawn = np.empty(stored.values.shape, np.uint8)
    for number, start in enumerate(range(0, len(stored), _ROWS)):
        rows = slice(start, min(start + _ROWS, len(stored)))
        with tf.init_scope():  # eagerly, even when first asked for while a `map` is being traced
            p = stored.gather(tf.range(rows.start, rows.stop))
            drawn[rows] = _bernoulli_once(p, seed, _ONCE[split], number).numpy()
    return Stored(drawn)


class Binarization(abc.ABC):
    """What becomes of a grey value v in [0, 1]: `P(x = 1) = v`, drawn at a stated time, or v itself.

    A subclass says when it draws: `once`, before training, and `each_batch`, while training.
    """

    @property
    @abc.abstractmethod
    def draws(self) -> bool:
        """Whether values are read as probabilities, which must then lie in [0, 1]."""

    @abc.abstractmethod
    def describe(self) -> str:
        """Return one line for a model card: what is drawn, when, from which seed."""

    @abc.abstractmethod
    def once(self, stored: Stored, split: str) -> Stored:
        """Return the examples of a split ("train", "validation" or "test") after what is drawn before training."""

    @abc.abstractmethod
    def each_batch(self, x: tf.Tensor, epoch: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
        """Return a training batch x `[b, *shape]` after what is drawn during training; epoch and batch are scalars."""


@dataclasses.dataclass(frozen=True)
class NoBinarization(Binarization):
    """Values stay as they are.

    Example:
      >>> from tfvae import data
      >>> data.NoBinarization().describe()
      'none'
    """

    @property
    def draws(self) -> bool:
        """False: values are no probabilities."""
        return False

    def describe(self) -> str:
        """Return one line for a model card."""
        return "none"

    def once(self, stored: Stored, split: str) -> Stored:
        """Return the examples unchanged."""
        return stored

    def each_batch(self, x: tf.Tensor, epoch: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
        """Return the batch unchanged."""
        return x


@dataclasses.dataclass(frozen=True)
class StaticBinarization(Binarization):
    """One draw `x ~ Bernoulli(v)` for every split, made once.

    Attributes:
      seed: of the draws, an int in 0..2**31 - 1; ValueError otherwise.

    Reference: Larochelle and Murray, "The Neural Autoregressive Distribution Estimator", AISTATS 2011.

    Example:
      >>> from tfvae import data
      >>> data.StaticBinarization(seed=3).describe()
      'static: every split drawn once, seed 3'
    """

    seed: int = 0

    def __post_init__(self) -> None:
        """Check the seed."""
        object.__setattr__(self, "seed", _checks.seed(self.seed))

    @property
    def draws(self) -> bool:
        """True: values are probabilities."""
        return True

    def describe(self) -> str:
        """Return one line for a model card."""
        return f"static: every split drawn once, seed {self.seed}"

    def once(self, stored: Stored, split: str) -> Stored:
        """Return the one draw of a split."""
        return _drawn_once(stored, self.seed, split)

    def each_batch(self, x: tf.Tensor, epoch: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
        """Return the batch unchanged: it is drawn already."""
        return x


@dataclasses.dataclass(frozen=True)
class DynamicBinarization(Binarization):
    """Training images drawn again, `x ~ Bernoulli(v)`, in every epoch; validation and test drawn once.

    Attributes:
      seed: of the draws, an int in 0..2**31 - 1; ValueError otherwise.

    Reference: Salakhutdinov and Murray, "On the quantitative analysis of deep belief networks", ICML 2008;
    Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", arXiv:1509.00519.

    Example:
      >>> from tfvae import data
      >>> data.DynamicBinarization().describe()
      'dynamic: train drawn again every epoch, validation and test drawn once, seed 0'
    """

    seed: int = 0

    def __post_init__(self) -> None:
        """Check the seed."""
        object.__setattr__(self, "seed", _checks.seed(self.seed))

    @property
    def draws(self) -> bool:
        """True: values are probabilities."""
        return True

    def describe(self) -> str:
        """Return one line for a model card."""
        return f"dynamic: train drawn again every epoch, validation and test drawn once, seed {self.seed}"

    def once(self, stored: Stored, split: str) -> Stored:
        """Return the grey training images, or the one draw of another split."""
        return stored if split == "train" else _drawn_once(stored, self.seed, split)

    def each_batch(self, x: tf.Tensor, epoch: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
        """Return the draw of this batch of this epoch."""
        words = tf.stack([tf.constant(self.seed), tf.cast(epoch, tf.int32)])
        sizes = [tf.shape(x)[0], *x.shape[1:]]
        # u < v with u in (0, 1): v = 0 never gives a one, v = 1 always does. Hashing compiles, and Philox hardly does.
        u = uniform(1, sizes, Seed(words, sample=tf.cast(batch, tf.int32)), _STREAM)[0]
        return tf.ensure_shape(tf.cast(u < x, tf.float32), x.shape)


NO_BINARIZATION = NoBinarization()


def require(binarization: Binarization) -> Binarization:
    """Return a binarization, or raise ValueError for anything else."""
    if isinstance(binarization, Binarization):
        return binarization
    raise ValueError(
        "binarization must be NoBinarization(), StaticBinarization() or DynamicBinarization(). "
        f"Received: binarization={binarization!r}. Pass an object, neither its name nor its class."
    )
