"""Layers of Keras and of this library in PyTorch, with their trained weights. Images keep their channels last."""

import math
from collections.abc import Callable

import keras
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tfvae import networks
from tfvae.networks.masked import Masked

_ACTIVATIONS = {"linear": nn.Identity, "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


class NoTwin(NotImplementedError):
    """A part of the model is not written in PyTorch here."""


class _Gated(nn.Module):
    def __init__(self, layer: networks.GatedDense):
        super().__init__()
        self.linear, self.gate = dense(layer.linear), dense(layer.gate)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) * self.gate(x)


class _Reshape(nn.Module):
    def __init__(self, layer: keras.layers.Reshape):
        super().__init__()
        self.shape = layer.target_shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(-1, *self.shape)


class _Convolution(nn.Module):
    """Keras' Conv2D with padding "same", whose odd row or column of zeros is the last."""

    def __init__(self, layer: keras.layers.Conv2D):
        super().__init__()
        _require_same(layer)
        kernel, bias = layer.get_weights()  # [h, w, inputs, outputs]
        self.weight = _parameter(kernel.transpose(3, 2, 0, 1)).contiguous(memory_format=torch.channels_last)
        self.bias, self.stride = _parameter(bias), layer.strides
        self.activation = _activation(layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        padding: list[int] = []  # from the last axis to the first, as PyTorch wants it
        for size, kernel, stride in zip(x.shape[1:3], self.weight.shape[2:], self.stride, strict=True):
            missing = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
            padding = [missing // 2, missing - missing // 2, *padding]
        images = F.pad(x.permute(0, 3, 1, 2), padding)
        return self.activation(F.conv2d(images, self.weight, self.bias, self.stride)).permute(0, 2, 3, 1)


class _Transposed(nn.Module):
    """Keras' Conv2DTranspose with padding "same"."""

    def __init__(self, layer: keras.layers.Conv2DTranspose):
        super().__init__()
        _require_same(layer)
        kernel, bias = layer.get_weights()  # [h, w, outputs, inputs]
        self.weight = _parameter(kernel.transpose(3, 2, 0, 1))
        self.bias, self.stride = _parameter(bias), layer.strides
        self.activation = _activation(layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        images = F.conv_transpose2d(x.permute(0, 3, 1, 2), self.weight, self.bias, self.stride)
        for axis, kernel, stride in zip((2, 3), self.weight.shape[2:], self.stride, strict=True):
            images = images.narrow(axis, max(kernel - stride, 0) // 2, x.shape[axis - 1] * stride)
        return self.activation(images).permute(0, 2, 3, 1)


class _Residual(nn.Module):
    def __init__(self, layer: networks.ResidualBlock):
        super().__init__()
        self.first, self.last, self.activation = _Convolution(layer.first), _Convolution(layer.last), _activation(layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.last(self.activation(self.first(self.activation(x))))


class Perceptron(nn.Module):
    """The masked network of an autoregressive step, whose first bias is given."""

    def __init__(self, layer: Masked):
        super().__init__()
        kernels = [mask(kernel.value).numpy() for kernel, mask in zip(layer.kernels, layer.masks, strict=True)]
        self.kernels = nn.ParameterList([_parameter(kernel) for kernel in kernels])
        self.biases = nn.ParameterList([_parameter(bias.numpy()) for bias in layer.biases])

    def forward(self, z: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        hidden = z @ self.kernels[0] + bias
        for kernel, after in zip(self.kernels[1:], self.biases, strict=True):
            hidden = F.elu(hidden) @ kernel + after
        return hidden


def dense(layer: keras.layers.Dense) -> nn.Module:
    """Return a dense layer."""
    kernel, bias = layer.get_weights()
    linear = nn.Linear(*kernel.shape)
    linear.weight, linear.bias = _parameter(kernel.T), _parameter(bias)
    activation = _activation(layer)
    return linear if isinstance(activation, nn.Identity) else nn.Sequential(linear, activation)


def module(layer: keras.layers.Layer) -> nn.Module:
    """Return a layer, or a `keras.Sequential` of them.

    Raises:
        NoTwin: naming the layer, where it is not written.
    """
    if isinstance(layer, keras.Sequential):
        return nn.Sequential(*[module(each) for each in layer.layers])
    made: dict[type, Callable] = {
        keras.layers.Activation: _activation,
        keras.layers.Conv2D: _Convolution,
        keras.layers.Conv2DTranspose: _Transposed,
        keras.layers.Dense: dense,
        keras.layers.Flatten: lambda _: nn.Flatten(),
        keras.layers.Reshape: _Reshape,
        networks.GatedDense: _Gated,
        networks.ResidualBlock: _Residual,
    }
    if type(layer) not in made:
        raise NoTwin(f"no twin of {type(layer).__name__} is written")
    return made[type(layer)](layer)


def _activation(layer: keras.layers.Layer) -> nn.Module:
    return _ACTIVATIONS[keras.activations.serialize(layer.activation)]()


def _require_same(layer: keras.layers.Layer) -> None:
    same = layer.padding == "same" or set(layer.kernel_size) == {1}
    if not same or layer.data_format != "channels_last":
        raise NoTwin(f"no twin of a {type(layer).__name__} with padding={layer.padding!r} is written")


def _parameter(value: np.ndarray) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(np.ascontiguousarray(value)))
