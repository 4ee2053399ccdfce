"""Networks: functions that return plain Keras models, tensor to tensor, with no probability in them."""

from tfvae.networks.convolutional import conv, deconv
from tfvae.networks.dense import mlp

__all__ = ["conv", "deconv", "mlp"]
