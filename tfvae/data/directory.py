"""A folder of image files as splits."""

import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfvae.data import _checks
from tfvae.data.arrays import from_arrays
from tfvae.data.binarization import NO_BINARIZATION, Binarization, require
from tfvae.data.splits import Splits

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")


def _decoded(file: tf.Tensor, size: tuple[int, int], channels: int) -> tf.Tensor:
    """Return the image of a path as uint8 [h, w, channels]."""
    image = tf.io.decode_image(tf.io.read_file(file), expand_animations=False)  # [h, w, 1 to 4]
    # Two and four channels are grey and colour with an alpha channel, which is dropped.
    is_colour = tf.shape(image)[-1] >= 3
    image = tf.cond(is_colour, lambda: image[..., :3], lambda: tf.repeat(image[..., :1], 3, axis=-1))
    image = tf.ensure_shape(image, (None, None, 3))
    if channels == 1:
        image = tf.image.rgb_to_grayscale(image)
    return tf.saturate_cast(tf.round(tf.image.resize(image, size, antialias=True)), tf.uint8)


def _images(files: list[Path], size: tuple[int, int], channels: int) -> np.ndarray:
    """Return all images as uint8 [n, h, w, channels]."""
    # Parallel inside tf.data: calling TensorFlow from several Python threads crashed the interpreter now and then.
    data = tf.data.Dataset.from_tensor_slices([str(file) for file in files]).map(
        lambda file: _decoded(file, size, channels), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    images = np.empty((len(files), *size, channels), np.uint8)
    done = 0
    try:
        for image in data:
            images[done] = image.numpy()
            done += 1
    except tf.errors.OpError:
        # TensorFlow's own message is a page about kernels and never names the file; images come in order, so we know.
        raise ValueError(
            f"every {', '.join(SUFFIXES)} file of the folder must be an image that TensorFlow decodes. "
            f"Received: file={str(files[done])!r}. Remove that file or save it again as PNG."
        ) from None
    return images


def _image_files(folder: str | os.PathLike[str]) -> list[Path]:
    if not Path(_checks.path(folder, "folder")).is_dir():
        raise FileNotFoundError(
            f"folder must be a directory that exists. Received: folder={str(folder)!r}. Check the path."
        )
    files = sorted(file for file in Path(folder).rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise FileNotFoundError(
            f"folder must hold image files ({', '.join(SUFFIXES)}) at any depth. Received: folder={str(folder)!r} "
            "with none. Check the path or convert the images."
        )
    return files


def from_directory(
    folder: str | os.PathLike[str],
    *,
    size: tuple[int, int],
    channels: int = 3,
    batch_size: int = 128,
    binarization: Binarization = NO_BINARIZATION,
    seed: int = 0,
) -> Splits:
    """Return the image files of a folder as splits of pixels in [0, 1], event shape `(*size, channels)`.

    PNG, JPEG, BMP and GIF files (the first frame) are read at any depth, sorted by path, stretched to `size` by
    antialiased bilinear interpolation, and kept in memory as uint8. Validation and test are held out as in
    `from_arrays`, a tenth each.

    Args:
      folder: path.
      size: (height, width) in pixels.
      channels: 3 for colour, 1 for grey (luminance).
      batch_size: examples in a batch.
      binarization: what becomes of grey values.
      seed: of the order of the training examples.

    Raises:
      FileNotFoundError: for a missing folder or one without image files.
      ValueError: for a file that is no image (the message names it), or a bad size, channels, batch size or seed.

    Example:
      >>> import tempfile
      >>> import tensorflow as tf
      >>> from tfvae import data
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     for i in range(10):
      ...         tf.io.write_file(f"{folder}/{i}.png", tf.io.encode_png(tf.zeros((9, 9, 3), tf.uint8)))
      ...     splits = data.from_directory(folder, size=(8, 8), channels=1)
      >>> splits.shape, splits.sizes["train"]
      ((8, 8, 1), 8)
    """
    size, channels = _checks.size(size), _checks.channels(channels)
    require(binarization)
    _checks.seed(seed)
    _checks.positive(batch_size, "batch_size")
    files = _image_files(folder)
    images = _images(files, size, channels)
    name = Path(folder).resolve().name
    return from_arrays(images, name=name, batch_size=batch_size, binarization=binarization, seed=seed)
