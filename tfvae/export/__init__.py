"""Export: the whole model outside Python, sampling and scores included, with the Keras model's numbers."""

from tfvae.export.formats import saved_model, tflite
from tfvae.export.signatures import Signature, refusals, signatures
from tfvae.export.verification import Parity, verify

__all__ = ["Parity", "Signature", "refusals", "saved_model", "signatures", "tflite", "verify"]
