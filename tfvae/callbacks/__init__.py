"""Callbacks for `fit`, beside Keras' own."""

from tfvae.callbacks.checkpoint import START as START
from tfvae.callbacks.checkpoint import Checkpoint
from tfvae.callbacks.checkpoint import Position as Position
from tfvae.callbacks.checkpoint import metric_variables as metric_variables
from tfvae.callbacks.collapse import CollapseMonitor, CollapseWarning

__all__ = ["Checkpoint", "CollapseMonitor", "CollapseWarning"]
