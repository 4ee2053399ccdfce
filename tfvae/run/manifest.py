"""What a run's folder says about its recipe, in `run.json`."""

import json
from pathlib import Path

from tfvae import presets
from tfvae.presets.recipe import Recipe
from tfvae.run.options import Options


def read(path: Path) -> Recipe:
    """Read the recipe of a run from its run.json.

    Raises:
        ValueError: if the file does not hold the options of a run or the name of a preset.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return presets.find(values["preset"]) if "preset" in values else Options.from_json(values)
    except (OSError, ValueError, TypeError, KeyError) as error:
        cause = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(
            f"Expected the options of a run in {path}. Restore the file, or train anew with --overwrite. "
            f"Received: {cause}"
        ) from error


def differences(theirs: Recipe, ours: Recipe) -> str:
    """Return in one line what sets two recipes apart; empty if nothing does."""
    first, second = ((recipe.as_json().get("options") or recipe.as_json()) for recipe in (theirs, ours))
    keys = [key for key in {**second, **first} if first.get(key) != second.get(key)]
    return ", ".join(f"{key}={first.get(key)!r} instead of {second.get(key)!r}" for key in keys)
