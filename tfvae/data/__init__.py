"""Data sets as batches ready for `fit`, with the binarisation of grey pixels stated explicitly."""

from tfvae.data.arrays import from_arrays
from tfvae.data.binarization import Binarization, DynamicBinarization, NoBinarization, StaticBinarization
from tfvae.data.directory import from_directory
from tfvae.data.loaders import load, names
from tfvae.data.prepared import DatasetNotAvailable
from tfvae.data.quadrants import Quadrants
from tfvae.data.splits import Splits
from tfvae.data.streaming import stream, stream_directory, stream_tfrecords
from tfvae.data.streams import Stream

__all__ = [
    "Binarization",
    "DatasetNotAvailable",
    "DynamicBinarization",
    "NoBinarization",
    "Quadrants",
    "Splits",
    "StaticBinarization",
    "Stream",
    "from_arrays",
    "from_directory",
    "load",
    "names",
    "stream",
    "stream_directory",
    "stream_tfrecords",
]
