"""Posteriors, likelihoods and priors in PyTorch, the densities written out."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal

from benchmarks.deployment.pytorch_layers import NoTwin, Perceptron
from tfvae import heads
from tfvae.distributions.moments import DRAWS, SEED
from tfvae.heads.base import Head
from tfvae.heads.scales import SCALE_FLOOR
from tfvae.models.variational import AbstractVAE
from tfvae.priors import StandardNormal
from tfvae.random import as_seed, normal

_UNIT = math.log(math.e - 1.0)  # softplus(_UNIT) = 1, where scales begin


def _positive(raw: torch.Tensor) -> torch.Tensor:
    return SCALE_FLOOR + F.softplus(raw + _UNIT)


class DiagonalNormal(nn.Module):
    """Moments of q(z | x), and a draw with its log-density, from the parameters that the network gives."""

    def __init__(self, head: heads.DiagonalNormal):
        super().__init__()

    def moments(self, parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, raw = parameters.chunk(2, -1)
        return mean, _positive(raw)

    def draw(self, parameters: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, scale = self.moments(parameters)
        z = mean + scale * noise
        return z, Normal(mean, scale).log_prob(z).sum(-1)


class InverseAutoregressive(nn.Module):
    """As `DiagonalNormal`; the moments are those of the 64 draws that `encode` takes, of one example."""

    def __init__(self, head: heads.InverseAutoregressive):
        super().__init__()
        self.size, self.sizes = head.event_shape[0], head.sizes
        self.networks = nn.ModuleList([Perceptron(network) for network in head.networks])
        self.noise = torch.from_numpy(normal(DRAWS, [1, self.size], as_seed(SEED)).numpy())

    def moments(self, parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if len(parameters) != 1:
            raise NoTwin("no twin of InverseAutoregressive is written for more examples than one")
        z = self.draw(parameters, self.noise)[0]
        return z.mean(0), z.std(0)

    def draw(self, parameters: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, raw, *biases = parameters.split([self.size, self.size, *self.sizes * len(self.networks)], -1)
        scale = _positive(raw)
        z = mean + scale * noise
        log_q = Normal(mean, scale).log_prob(z).sum(-1)
        for network, bias in zip(self.networks, biases, strict=True):
            towards, opening = network(z, bias).chunk(2, -1)
            gate = torch.sigmoid(opening + 2.0)
            z, log_q = gate * z + (1 - gate) * towards, log_q - F.logsigmoid(opening + 2.0).sum(-1)
        return z, log_q


class Bernoulli(nn.Module):
    """Mean and log-density of p(x | z), from the parameters that the network gives."""

    def __init__(self, head: heads.Bernoulli):
        super().__init__()
        self.event = head.event_shape

    def mean(self, parameters: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(parameters).reshape(-1, *self.event)

    def log_prob(self, parameters: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        logits = parameters.flatten(1)
        return -F.binary_cross_entropy_with_logits(logits, x.flatten(1), reduction="none").sum(1)


class QuantizedLogistic(nn.Module):
    """As `Bernoulli`, of the levels k / (levels - 1)."""

    def __init__(self, head: heads.QuantizedLogistic):
        super().__init__()
        self.event, self.half = head.event_shape, 0.5 / (head.levels - 1)

    def mean(self, parameters: torch.Tensor) -> torch.Tensor:
        loc, scale = self._located(parameters)
        return scale * (F.softplus(loc / scale) - F.softplus((loc - 1) / scale))

    def log_prob(self, parameters: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        loc, scale = self._located(parameters)
        lowest, highest = x < self.half, x > 1 - self.half
        standard, reach = (x - loc) / scale, self.half / scale
        terms = torch.where(lowest | highest, 0.0, torch.log(-torch.expm1(-2 * reach)))
        terms = terms - torch.where(highest, 0.0, F.softplus(-standard - reach))
        return (terms - torch.where(lowest, 0.0, F.softplus(standard - reach))).flatten(1).sum(1)

    def _located(self, parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        loc, raw = parameters.reshape(-1, *self.event[:-1], 2 * self.event[-1]).chunk(2, -1)
        return 0.5 + 0.5 * loc, 0.5 * _positive(raw)


class Mixture(nn.Module):
    """A mixture of K normals; one component is the standard normal."""

    def __init__(self, model: AbstractVAE):
        super().__init__()
        if isinstance(model.prior, StandardNormal):
            size = model.prior.latent_dim
            values = np.zeros([1, size]), np.ones([1, size]), np.zeros([1])
        else:
            fixed = model.prior.fixed()()
            parts = getattr(fixed, "components_distribution", None)
            if parts is None:
                raise NoTwin(f"no twin of the prior {type(model.prior).__name__} is written")
            values = parts.mean(), parts.stddev(), fixed.mixture_distribution.logits_parameter()
        loc, scale, logits = (torch.from_numpy(np.array(value, np.float32)) for value in values)
        self.loc, self.scale, self.log_weights = (
            nn.Parameter(value) for value in (loc, scale, logits - torch.logsumexp(logits, -1))
        )

    def log_prob(self, z: torch.Tensor) -> torch.Tensor:
        terms = Normal(self.loc, self.scale).log_prob(z[:, None]).sum(-1)  # [B, K]
        return torch.logsumexp(self.log_weights + terms, -1)


_HEADS = {
    heads.Bernoulli: Bernoulli,
    heads.DiagonalNormal: DiagonalNormal,
    heads.InverseAutoregressive: InverseAutoregressive,
    heads.QuantizedLogistic: QuantizedLogistic,
}


def head(layer: Head) -> nn.Module:
    """Return a head.

    Raises:
        NoTwin: naming the head, where it is not written.
    """
    if type(layer) not in _HEADS:
        raise NoTwin(f"no twin of {type(layer).__name__} is written")
    return _HEADS[type(layer)](layer)
