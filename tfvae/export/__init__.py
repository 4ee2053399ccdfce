"""Export: the whole model outside Python, sampling and scores included, with the Keras model's numbers."""

from tfvae.export.codes import Codes
from tfvae.export.extras import EncodeSample, Extra, Interpolate, IsAnomaly, Score
from tfvae.export.formats import saved_model, tflite
from tfvae.export.imputing import Impute
from tfvae.export.personalising import Personalise
from tfvae.export.quantization import QuantizationReport, quantize
from tfvae.export.quantization_measurement import Change
from tfvae.export.quantization_schemes import DynamicRange, Float16, Int8, Scheme
from tfvae.export.serving import Request, requests, serving, unbatchable, warm_up
from tfvae.export.signature import Signature
from tfvae.export.signatures import refusals, signatures
from tfvae.export.split import Part, decoder, encoder
from tfvae.export.streaming import Stream
from tfvae.export.verification import Parity, verify
from tfvae.export.web import web_page
from tfvae.export.wire import LatentCodec
from tfvae.export.wire_measurement import (
    AggregateMarginals,
    Marginals,
    PriorMarginals,
    WireReport,
    latent_codec,
    measure_wire,
)

__all__ = [
    "AggregateMarginals",
    "Change",
    "Codes",
    "DynamicRange",
    "EncodeSample",
    "Extra",
    "Float16",
    "Impute",
    "Int8",
    "Interpolate",
    "IsAnomaly",
    "LatentCodec",
    "Marginals",
    "Parity",
    "Part",
    "Personalise",
    "PriorMarginals",
    "QuantizationReport",
    "Request",
    "Scheme",
    "Score",
    "Signature",
    "Stream",
    "WireReport",
    "decoder",
    "encoder",
    "latent_codec",
    "measure_wire",
    "quantize",
    "refusals",
    "requests",
    "saved_model",
    "serving",
    "signatures",
    "tflite",
    "unbatchable",
    "verify",
    "warm_up",
    "web_page",
]
