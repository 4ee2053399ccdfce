"""Reading data sets that `tensorflow_datasets` has prepared, and saying within seconds when it cannot."""

import contextlib
import http.client
import logging
import os
import re
import types
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder

_PROBE_SECONDS = 3.0


class DatasetNotAvailable(RuntimeError):
    """A data set is neither prepared on this machine nor can it be downloaded; the message holds what to run.

    Example:
      >>> from tfvae import data
      >>> issubclass(data.DatasetNotAvailable, RuntimeError)
      True
    """


def _tensorflow_datasets() -> types.ModuleType:
    try:
        import tensorflow_datasets  # takes seconds, so only when it is needed
    except ImportError as error:
        raise DatasetNotAvailable(
            f"this data set needs the package tensorflow_datasets, which cannot be imported: {_cause(error)}. Run "
            "pip install tensorflow-datasets importlib_resources, or use load('digits') or from_arrays."
        ) from error
    return tensorflow_datasets


def _cause(error: BaseException) -> str:
    """Return an error in one short line: TensorFlow's messages run over pages."""
    text = str(getattr(error, "reason", None) or error)
    text = re.sub(r"{{.*?}} ?|\[Op:.*", "", text).strip()  # names of graph nodes and kernels
    return f"{type(error).__name__}: {text.partition(chr(10))[0][:200]}"


def _commands(tfds_name: str) -> str:
    return (
        "On a machine with a network run\n"
        # Not the command `tfds build`, which fails without apache_beam.
        '  python -c "import tensorflow_datasets as tfds; '
        f"tfds.builder('{tfds_name}', data_dir='FOLDER').download_and_prepare()\"\n"
        "then copy the folder to this machine and run\n"
        "  export TFDS_DATA_DIR=FOLDER\n"
        "or pass data_dir=FOLDER."
    )


@contextlib.contextmanager
def _without_missing_folder_warning() -> Iterator[None]:
    """Silence one line of tensorflow_datasets: that nothing is prepared is said by the error raised here."""

    def keep(record: logging.LogRecord) -> bool:
        return "has no dataset_info.json" not in record.getMessage()

    logger = logging.getLogger("absl")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


def _unreachable(urls: Iterable[str]) -> str | None:
    """Return why some address cannot be reached, or None; proxies of the environment are used."""
    parts = [urllib.parse.urlsplit(url) for url in urls]
    for address in sorted({f"{part.scheme}://{part.netloc}/" for part in parts if part.scheme in ("http", "https")}):
        try:
            request = urllib.request.Request(address, method="HEAD")  # noqa: S310 (http and https only, see above)
            with urllib.request.urlopen(request, timeout=_PROBE_SECONDS):  # noqa: S310
                pass
        except (urllib.error.HTTPError, http.client.HTTPException):
            continue  # an answer, whatever it says
        except OSError as error:
            return f"{address} cannot be reached ({_cause(error)})"
    return None


def prepared_builder(name: str, tfds_name: str, data_dir: str | None) -> "DatasetBuilder":
    """Return the builder of a data set that is prepared, preparing it if its hosts can be reached.

    Raises:
      DatasetNotAvailable: when it is not prepared and cannot be.
    """
    tfds = _tensorflow_datasets()
    folder = data_dir or os.environ.get("TFDS_DATA_DIR") or None
    with _without_missing_folder_warning():
        try:
            builder = tfds.builder(tfds_name, data_dir=folder)
        except Exception as error:  # damaged descriptions of a set raise as many errors as there are parsers
            raise DatasetNotAvailable(
                f"the description of a prepared data set must be whole. Received: {name} in {folder}, which cannot be "
                f"read ({_cause(error)}). Delete its folder and prepare it again. {_commands(tfds_name)}"
            ) from error
        if builder.is_prepared():
            return builder
        # Without this probe tensorflow_datasets tries again for minutes when there is no network.
        reason = _unreachable(builder.url_infos or ())
        if reason is None:
            try:
                builder.download_and_prepare()
                return builder
            except Exception as error:  # whatever a download, a parser or a disk may raise
                reason = _cause(error)
    raise DatasetNotAvailable(
        f"{name} must be prepared or downloadable. Received: no prepared data in {builder.data_dir}, and the download "
        f"is impossible: {reason}. {_commands(tfds_name)}"
    )


def read(
    builder: "DatasetBuilder",
    split: str,
    select: Callable[[dict[str, tf.Tensor]], tuple[tf.Tensor, ...]],
) -> list[np.ndarray]:
    """Return each selected feature of a split as one array, in the order of the files.

    Raises:
      DatasetNotAvailable: when the files are truncated, corrupt or missing.
    """
    try:
        n = builder.info.splits[split].num_examples
        config = _tensorflow_datasets().ReadConfig(try_autocache=False)  # every file is read once
        data = builder.as_dataset(split=split, shuffle_files=False, read_config=config)
        data = data.map(select, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        arrays = [np.empty((n, *spec.shape), spec.dtype.as_numpy_dtype) for spec in data.element_spec]
        start = 0
        for batch in data.batch(512):  # straight into place: a second copy of a large set would not fit in memory
            stop = start + len(batch[0])
            for array, values in zip(arrays, batch, strict=True):
                array[start:stop] = values.numpy()
            start = stop
        if start != n:
            raise ValueError(f"{start} examples instead of {n}")
    except Exception as error:  # TensorFlow, tensorflow_datasets and the file system each have errors of their own
        raise DatasetNotAvailable(
            f"the files of a prepared data set must be whole. Received: split {split!r} in {builder.data_dir}, which "
            f"cannot be read ({_cause(error)}). Delete that folder and prepare it again. {_commands(builder.info.name)}"
        ) from error
    return arrays
