"""Files that appear whole or not at all: written under a temporary name beside their place, then renamed."""

import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


@contextmanager
def replacing(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; what is written there takes its place when the block succeeds.

    The temporary name keeps the target's ending, by which Keras and matplotlib know the format. A file is replaced
    in one step; a folder that exists already is moved aside first, so that for an instant there is none. Folders that
    were made on the way to the target go again when the block fails.
    """
    target = Path(target)
    made = [parent for parent in target.parents if not parent.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".writing-{os.getpid()}-{target.name}")
    _remove(temporary)
    try:
        yield temporary
        if temporary.is_dir() and target.exists():
            aside = target.with_name(f".replaced-{os.getpid()}-{target.name}")
            _remove(aside)
            target.rename(aside)
            temporary.rename(target)
            _remove(aside)
        else:
            os.replace(temporary, target)
    finally:
        _remove(temporary)
        for parent in made:
            if not any(parent.iterdir()):
                parent.rmdir()


def is_temporary(path: Path) -> bool:
    """Tell whether a path has one of the temporary names."""
    return path.name.startswith((".writing-", ".replaced-"))


def discard(folder: Path) -> None:
    """Remove a folder that is whole until it is gone: it is renamed first."""
    aside = folder.with_name(f".replaced-{os.getpid()}-{folder.name}")
    _remove(aside)
    folder.rename(aside)
    _remove(aside)


def sweep(folder: str | Path) -> None:
    """Remove what a killed process left behind under temporary names."""
    for path in [path for path in Path(folder).rglob(".*") if is_temporary(path)]:
        _remove(path)


def write_text(target: str | Path, text: str) -> None:
    """Write a text file in one step."""
    with replacing(target) as path:
        path.write_text(text, encoding="utf-8")


def write_json(target: str | Path, value: object) -> None:
    """Write a JSON file in one step; NaN, which JSON lacks, is refused."""
    write_text(target, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_model(target: str | Path, model: "keras.Model", member: str, note: dict) -> None:
    """Write a .keras file in one step, with a JSON note of this library's beside Keras' own members."""
    with replacing(target) as path:
        model.save(path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(member, json.dumps(note))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
