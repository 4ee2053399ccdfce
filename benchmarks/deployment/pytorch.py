"""The same model in PyTorch: the networks' layers with the trained weights, the densities written out."""

import io
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from benchmarks.deployment import pytorch_heads
from benchmarks.deployment.contestant import Contestant, Function, Inputs
from benchmarks.deployment.pytorch_layers import NoTwin, dense, module
from tfvae.models.variational import AbstractVAE
from tfvae.priors import StandardNormal


class Twin(nn.Module):
    """Encoder, decoder and prior of a model.

    Raises:
        NoTwin: naming what is not written.
    """

    def __init__(self, model: AbstractVAE):
        super().__init__()
        self.posterior, self.likelihood = (pytorch_heads.head(part.head) for part in (model.encoder, model.decoder))
        self.encoder, self.decoder = (
            nn.Sequential(module(part.network), _projection(part.head)) for part in (model.encoder, model.decoder)
        )
        self.prior = pytorch_heads.Mixture(model)
        normal = isinstance(self.posterior, pytorch_heads.DiagonalNormal) and isinstance(model.prior, StandardNormal)
        self.closed = normal  # the rate has a closed form, which Keras takes too

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and deviation of q(z | x)."""
        return self.posterior.moments(self.encoder(x))

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Return the mean of p(x | z)."""
        return self.likelihood.mean(self.decoder(z))

    def elbo(self, x: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return ELBO, rate and distortion of each example."""
        parameters = self.encoder(x)
        z, log_q = self.posterior.draw(parameters, noise)
        distortion = -self.likelihood.log_prob(self.decoder(z), x)
        if self.closed:
            mean, scale = self.posterior.moments(parameters)
            rate = 0.5 * (mean**2 + scale**2 - 1 - 2 * torch.log(scale)).sum(1)
        else:
            rate = log_q - self.prior.log_prob(z)
        return -rate - distortion, rate, distortion


def _projection(head: object) -> nn.Module:
    """Return a head's linear layer, which maps each place of an image where the features lie on its grid."""
    linear = dense(head.projection.linear)
    return linear if head.projection.pointwise else nn.Sequential(nn.Flatten(), linear)


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
