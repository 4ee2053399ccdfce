"""Features of a classifier that is trained on the same data, and says how good it is."""

import keras
import numpy as np
import tensorflow as tf

from tfvae.data import Splits
from tfvae.errors import positive_int, whole_number_in
from tfvae.evaluation.printing import plus_minus

_BATCH = 128
_CHANNELS = 32
_ROWS = 500  # examples whose features are computed at a time
_SCALED = 2000  # training examples whose features set the scale


def before_binarization(splits: Splits, split: str) -> np.ndarray:
    """Return a split as float32 [n, *shape], grey values as they are, which is what means of p(x | z) compare with."""
    stored = splits.stored[split]
    return (stored.values / np.float32(stored.divisor)).astype(np.float32)


class Pixels:
    """The values of x themselves as features: the distance between examples is that of their values.

    Pixels say little of what an image shows; they serve for data that has no labels, and for records.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import samples
        >>> samples.Pixels()(np.zeros([3, 8, 8, 1])).shape
        (3, 64)
    """

    description = "the values of x themselves"

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return each example as one row, [n, d]."""
        return np.reshape(images, [len(images), -1])


class FeatureClassifier:
    """A small network trained on the labels of a data set when it is made: its last hidden layer are the features.

    Images go through two convolutions, other data through two dense layers; then `units` rectified linear features and
    one logit a class. It sees the training examples only, before any binarisation, for a fixed number of steps in a
    fixed order, so that the same seed gives the same features up to rounding. They are scaled so that their mean square
    on training examples is 1. Numbers on its features compare with others on the same features: they are no FID.

    Args:
        splits: a data set with labels of train and of test.
        units: length of the features.
        steps: training steps of 128 examples.
        seed: of the initial weights and of the order of the examples.

    Raises:
        ValueError: if train or test has no labels, they are not two or more classes, or `units`, `steps` or `seed` is
            no number it can be.

    Reference: M. Binkowski et al., "Demystifying MMD GANs", 2018, use the features of a classifier of the data's own
    for MNIST, https://arxiv.org/abs/1801.01401.

    Example:
        >>> from tfvae import data
        >>> from tfvae.evaluation import samples
        >>> digits = data.load("digits")
        >>> features = samples.FeatureClassifier(digits, units=16, steps=100)
        >>> features.accuracy > 0.5, features(digits.array("test")).shape
        (True, (270, 16))
    """

    def __init__(self, splits: Splits, *, units: int = 64, steps: int = 1000, seed: int = 0):
        seed = whole_number_in("seed", seed, 0, 2**31 - 1)
        classes, train = _classes(splits)
        x = before_binarization(splits, "train")
        self._network = _network(x, len(classes), positive_int("units", units), seed)
        self._network.fit(_in_order(x, train, positive_int("steps", steps), seed), shuffle=False, verbose=0)
        self._features = keras.Model(self._network.inputs, self._network.layers[-2].output)
        self._scale = np.float32(1.0)
        self._scale = 1 / np.sqrt(np.mean(np.square(self(x[:_SCALED])), dtype=np.float32))
        test, images = np.asarray(splits.labels["test"]), before_binarization(splits, "test")
        found = classes[_by_rows(self._network, images).argmax(1)]
        self.accuracy = float(np.mean(found == test))
        """Share of the test examples that are classified as labelled."""
        self.standard_error = float(np.sqrt(self.accuracy * (1 - self.accuracy) / len(test)))
        """Standard error of the accuracy over the data."""
        self.chance = float(np.unique(test, return_counts=True)[1].max() / len(test))
        """Accuracy of always guessing the commonest class."""
        accuracy = plus_minus(self.accuracy, self.standard_error)
        self.description = f"the features of a classifier of {splits.name} (test accuracy {accuracy})"
        """What the features are, for a record."""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the activations of the last hidden layer, [n, units], of grey images [n, *shape]."""
        return self._scale * _by_rows(self._features, np.asarray(images, np.float32))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong, and what to try; empty when all is well."""
        if self.accuracy - 3 * self.standard_error > self.chance:
            return ()
        return (
            f"The classifier is hardly better than chance, {self.accuracy:.2f} against {self.chance:.2f}, so its "
            "features say little: train it for more steps, or pass features of your own.",
        )


def _classes(splits: Splits) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes and the class of each training example as a number."""
    if any(splits.labels[split] is None for split in ("train", "test")):
        raise ValueError(
            "Expected a data set with labels of train and test, to train a classifier on. Pass features of your own, "
            "such as features=samples.Pixels() or those of a trained network; samples.memorisation needs no features. "
            f"Received: {splits!r} without labels"
        )
    classes, numbers = np.unique(np.asarray(splits.labels["train"]), return_inverse=True)
    if numbers.ndim != 1 or not 2 <= len(classes) <= len(numbers) // 2:
        raise ValueError(
            "Expected labels that put the training examples into two classes or more, with two examples in each on "
            f"average. Received: {len(classes)} different labels of {len(splits.stored['train'])} examples"
        )
    return classes, numbers


def _network(x: np.ndarray, classes: int, units: int, seed: int) -> keras.Model:
    seeds = iter(range(seed, seed + 4))

    def options() -> dict:
        return {"kernel_initializer": keras.initializers.HeNormal(next(seeds)), "activation": "relu"}

    scale = 1 / max(float(x.std()), 1e-6)
    network = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Rescaling(scale, -scale * float(x.mean()))])
    if x.ndim == 4:
        network.add(keras.layers.Conv2D(_CHANNELS, 3, 2, "same", **options()))
        network.add(keras.layers.Conv2D(2 * _CHANNELS, 3, 2, "same", **options()))
        network.add(keras.layers.Flatten())
    else:
        network.add(keras.layers.Flatten())
        network.add(keras.layers.Dense(4 * units, **options()))
        network.add(keras.layers.Dense(2 * units, **options()))
    network.add(keras.layers.Dense(units, **options()))
    network.add(keras.layers.Dense(classes, kernel_initializer=keras.initializers.GlorotUniform(next(seeds))))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=False)
    return network


def _in_order(x: np.ndarray, labels: np.ndarray, steps: int, seed: int) -> tf.data.Dataset:
    """Return `steps` batches, permuted anew in each pass over the data."""
    draws, wanted = np.random.default_rng(seed), steps * _BATCH
    passes = [draws.permutation(len(x)) for _ in range(-(-wanted // len(x)))]
    order = np.concatenate(passes)[:wanted].reshape(steps, _BATCH)
    images, numbers = tf.constant(x), tf.constant(labels)
    return tf.data.Dataset.from_tensor_slices(order).map(lambda i: (tf.gather(images, i), tf.gather(numbers, i)))


def _by_rows(network: keras.Model, x: np.ndarray) -> np.ndarray:
    return network.predict(x, batch_size=_ROWS, verbose=0)
