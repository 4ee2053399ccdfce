"""The same model in PyTorch: the networks' layers with the trained weights, the densities written out."""

import io
import math
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.deployment.contestant import Contestant, Function, Inputs
from tfvae import heads, networks
from tfvae.heads.scales import SCALE_FLOOR
from tfvae.models.base import AbstractVAE
from tfvae.priors import StandardNormal

_ACTIVATIONS = {"linear": nn.Identity, "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
_UNIT = math.log(math.e - 1.0)  # softplus(_UNIT) = 1, where scales begin


class NoTwin(NotImplementedError):
    """A part of the model is not written in PyTorch here."""


class _Gated(nn.Module):
    def __init__(self, layer: networks.GatedDense):
        super().__init__()
        self.linear, self.gate = _dense(layer.linear), _dense(layer.gate)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x) * self.gate(x)


def _dense(layer: keras.layers.Dense) -> nn.Module:
    kernel, bias = layer.get_weights()
    linear = nn.Linear(*kernel.shape)
    linear.weight.data, linear.bias.data = torch.from_numpy(kernel.T.copy()), torch.from_numpy(bias)
    activation = _ACTIVATIONS[keras.activations.serialize(layer.activation)]()
    return linear if isinstance(activation, nn.Identity) else nn.Sequential(linear, activation)


def _module(layer: keras.layers.Layer) -> nn.Module:
    if isinstance(layer, keras.Sequential):
        return nn.Sequential(*[_module(each) for each in layer.layers])
    made = {keras.layers.Flatten: lambda _: nn.Flatten(), keras.layers.Dense: _dense, networks.GatedDense: _Gated}
    if type(layer) not in made:
        raise NoTwin(f"no twin of {type(layer).__name__} is written")
    return made[type(layer)](layer)


class _Prior(NamedTuple):
    """A mixture of normals, [K, D] each; one component for the standard normal."""

    loc: torch.Tensor
    scale: torch.Tensor

    def log_prob(self, z: torch.Tensor) -> torch.Tensor:
        terms = torch.distributions.Normal(self.loc, self.scale).log_prob(z[:, None]).sum(-1)
        return torch.logsumexp(terms, 1) - math.log(len(self.loc))


class Twin(nn.Module):
    """Encoder and decoder of a model with a diagonal normal posterior and a Bernoulli likelihood.

    Raises:
        NoTwin: naming what other models have.
    """

    def __init__(self, model: AbstractVAE):
        super().__init__()
        for part, known in ((model.encoder.head, heads.DiagonalNormal), (model.decoder.head, heads.Bernoulli)):
            if type(part) is not known:
                raise NoTwin(f"no twin of {type(part).__name__} is written")
        self.encoder = nn.Sequential(_module(model.encoder.network), _dense(model.encoder.head.projection.linear))
        self.decoder = nn.Sequential(_module(model.decoder.network), _dense(model.decoder.head.projection.linear))
        self.event = model.fits.event_shape
        self.prior = None if isinstance(model.prior, StandardNormal) else _mixture(model)

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and deviation of q(z | x)."""
        mean, raw = self.encoder(x).chunk(2, -1)
        return mean, SCALE_FLOOR + F.softplus(raw + _UNIT)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Return the mean of p(x | z)."""
        return torch.sigmoid(self.decoder(z)).reshape(-1, *self.event)

    def elbo(self, x: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return ELBO, rate and distortion of each example."""
        mean, scale = self.encode(x)
        z = mean + scale * noise
        target = x.flatten(1)
        distortion = F.binary_cross_entropy_with_logits(self.decoder(z), target, reduction="none").sum(1)
        if self.prior is None:
            rate = 0.5 * (mean**2 + scale**2 - 1 - 2 * torch.log(scale)).sum(1)
        else:
            q = torch.distributions.Normal(mean, scale)
            rate = q.log_prob(z).sum(1) - self.prior.log_prob(z)
        return -rate - distortion, rate, distortion


def _mixture(model: AbstractVAE) -> _Prior:
    fixed = model.prior.fixed()()
    parts = getattr(fixed, "components_distribution", None)
    if parts is None:
        raise NoTwin(f"no twin of the prior {type(model.prior).__name__} is written")
    return _Prior(*[torch.from_numpy(np.array(values)) for values in (parts.mean(), parts.stddev())])


def contestant(model: AbstractVAE, inputs: Inputs, noise: np.ndarray) -> Contestant:
    """Return the model as PyTorch executes it, on one thread, without gradients.

    Args:
        model: the preset.
        inputs: of each function.
        noise: that of the Keras model's draw of z, with which the numbers are compared; what is timed draws its own.
    """
    made = Contestant("PyTorch", 0)
    try:
        twin = Twin(model).eval()
    except NoTwin as error:
        made.left_out = dict.fromkeys(inputs, str(error))
        return made
    buffer = io.BytesIO()
    torch.save(twin.state_dict(), buffer)
    made.bytes = buffer.tell()
    x, z = torch.from_numpy(inputs["encode"]["x"]), torch.from_numpy(inputs["decode"]["z"])
    calls = {
        "encode": (lambda: twin.encode(x), ("mean", "stddev"), twin.encode, (x,)),
        "decode": (lambda: (twin.decode(z),), ("mean",), twin.decode, (z,)),
        "elbo": (
            lambda: twin.elbo(x, torch.randn(noise.shape)), ("elbo", "rate", "distortion"), twin.elbo,
            (x, torch.from_numpy(noise)),
        ),
    }  # fmt: skip
    for name, (call, names, exact, arguments) in calls.items():
        with torch.inference_mode():
            answers = exact(*arguments)
        answers = answers if isinstance(answers, tuple) else (answers,)
        outputs = {key: value.numpy() for key, value in zip(names, answers, strict=True)}
        made.functions[name] = Function(torch.inference_mode()(call), _operators(exact, arguments), outputs)
    return made


def _operators(function: Callable, arguments: tuple) -> int:
    """Count the calls that PyTorch dispatches."""
    with torch.inference_mode(), torch.profiler.profile() as profile:
        function(*arguments)
    return sum(event.cpu_parent is None for event in profile.events() if event.name.startswith("aten::"))
