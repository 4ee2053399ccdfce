"""Presets: trained models for published numbers, and the recipes that train them again."""

from tfvae.presets.loading import folder_of, from_preset
from tfvae.presets.preset import Preset
from tfvae.presets.publishing import publish
from tfvae.presets.recipe import Recipe
from tfvae.presets.table import PRESETS, find

__all__ = ["PRESETS", "Preset", "Recipe", "find", "folder_of", "from_preset", "publish"]
