"""pythae: its models, its trainer and its estimate of the likelihood."""

import tempfile
from collections.abc import Callable

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import IWAE, VAE, IWAEConfig, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import nn

from benchmarks.contestants.torch_loop import networks
from benchmarks.serve import serve
from benchmarks.works import Work

_FEWER = 5  # its estimate takes so much longer that a fifth of the images fills a chunk


class Inference(BaseEncoder):
    """The network of `torch_loop` as pythae wants it."""

    def __init__(self, layers: nn.Module):
        super().__init__()
        self.layers = layers

    def forward(self, x: torch.Tensor) -> ModelOutput:
        """Return mean and log-variance of z."""
        mean, log_var = self.layers(x).chunk(2, dim=1)
        return ModelOutput(embedding=mean, log_covariance=log_var)


class Generator(BaseDecoder):
    """The network of `torch_loop` as pythae wants it: probabilities, not logits."""

    def __init__(self, layers: nn.Module):
        super().__init__()
        self.layers = layers

    def forward(self, z: torch.Tensor) -> ModelOutput:
        """Return the mean image."""
        return ModelOutput(reconstruction=torch.sigmoid(self.layers(z)).reshape(len(z), 1, 28, 28))


def _model(work: Work) -> VAE:
    encoder, decoder = networks(work)
    common = {"input_dim": (1, 28, 28), "latent_dim": work.latent, "reconstruction_loss": "bce"}
    if work.iwae:
        return IWAE(IWAEConfig(**common, number_samples=work.samples), Inference(encoder), Generator(decoder))
    return VAE(VAEConfig(**common), Inference(encoder), Generator(decoder))


def prepare(work: Work, images: np.ndarray) -> Callable[[], int]:
    """Return one pass of the trainer over the images, or one call of `get_nll`."""
    torch.manual_seed(0)
    x = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2).contiguous()
    model = _model(work)
    if work.evidence:
        return _evidence(work, model.eval(), x[: len(x) // _FEWER])
    config = BaseTrainerConfig(
        output_dir=tempfile.mkdtemp(), per_device_train_batch_size=work.batch, learning_rate=1e-3, num_epochs=1,
        no_cuda=True,
    )  # fmt: skip
    trainer = BaseTrainer(model, BaseDataset(x, torch.zeros(len(x))), training_config=config)
    trainer.prepare_training()

    def epoch() -> int:
        # `train` would also copy the model and write it to disk, which the others are spared.
        trainer.train_step(1)
        return len(x)

    return epoch


def _evidence(work: Work, model: VAE, x: torch.Tensor) -> Callable[[], int]:
    def estimate() -> int:
        with torch.no_grad():  # it keeps the graph of every decode otherwise
            model.get_nll(x, n_samples=work.samples)
        return work.samples * len(x)

    return estimate


if __name__ == "__main__":
    serve(prepare)
