"""A VAE in PyTorch, trained by a loop over a `DataLoader`."""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.serve import serve
from benchmarks.works import PIXELS, UNITS, Work


def networks(work: Work) -> tuple[nn.Module, nn.Module]:
    """Return encoder and decoder: images [B, 1, 28, 28] to 2 D numbers, z to logits [B, 784] or [B, 1, 28, 28]."""
    if not work.conv:
        return (
            nn.Sequential(nn.Flatten(), *_dense(PIXELS), nn.Linear(UNITS, 2 * work.latent)),
            nn.Sequential(*_dense(work.latent), nn.Linear(UNITS, PIXELS)),
        )
    encoder = nn.Sequential(
        nn.Conv2d(1, 32, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(7 * 7 * 64, 256), nn.ReLU(), nn.Linear(256, 2 * work.latent),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(work.latent, 256), nn.ReLU(), nn.Linear(256, 7 * 7 * 64), nn.ReLU(), nn.Unflatten(1, (64, 7, 7)),
        nn.ConvTranspose2d(64, 64, 3, stride=2, padding=1, output_padding=1), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1, output_padding=1), nn.ReLU(),
        nn.Conv2d(32, 1, 1),
    )  # fmt: skip
    return encoder, decoder


def _dense(width: int) -> list[nn.Module]:
    return [nn.Linear(width, UNITS), nn.Tanh(), nn.Linear(UNITS, UNITS), nn.Tanh()]


def loss(work: Work, encoder: nn.Module, decoder: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return the negative bound, averaged over the batch."""
    mean, log_var = encoder(x).chunk(2, dim=1)
    noise = torch.randn(work.samples, *mean.shape)
    z = mean + torch.exp(0.5 * log_var) * noise  # [S, B, D]
    logits = decoder(z.flatten(0, 1)).reshape(work.samples, len(x), PIXELS)
    target = x.flatten(1).expand_as(logits)
    log_px = -F.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(2)  # [S, B]
    if work.iwae:
        log_ratio = 0.5 * (log_var + noise**2 - z**2).sum(2)  # log p(z) - log q(z | x), [S, B]
        return (math.log(work.samples) - torch.logsumexp(log_px + log_ratio, 0)).mean()
    rate = -0.5 * (1 + log_var - mean**2 - log_var.exp()).sum(1)
    return (rate - log_px.mean(0)).mean()


def prepare(work: Work, images: np.ndarray) -> Callable[[], int]:
    """Return one pass over the images."""
    torch.manual_seed(0)
    x = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2).contiguous()
    loader = DataLoader(TensorDataset(x), batch_size=work.batch, shuffle=True)
    encoder, decoder = networks(work)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)

    def epoch() -> int:
        total = 0.0
        for (batch,) in loader:
            optimizer.zero_grad()
            value = loss(work, encoder, decoder, batch)
            value.backward()
            optimizer.step()
            total += value.item()
        if not math.isfinite(total):
            raise ArithmeticError("The loss is not finite")
        return len(x)

    return epoch


if __name__ == "__main__":
    serve(prepare)
