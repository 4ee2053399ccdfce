"""LiteRT.js, which runs the page's model: fetched from the npm registry once, checked, and kept.

It is not in the wheel: one build is 9.6 MB, several times the library's own code, and most users never export a page.
It needs no Node and no npm: the packages are two archives at pinned versions, whose SHA-512 is that of the registry's
lock files; each file that is taken has a pinned SHA-256 as well, by which a cache or a folder of the user's is checked.
Of the four builds only the compatible one is taken, without relaxed SIMD: it runs in every browser, with the same
numbers in all of them.
"""

import base64
import hashlib
import io
import os
import tarfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tfvae.errors import ExportError
from tfvae.files import replacing

VERSION = "2.5.3"
_REGISTRY = "https://registry.npmjs.org"
_SECONDS = 60.0  # that the registry may be silent


class Package(NamedTuple):
    """One npm package, and what of it the page needs."""

    name: str
    integrity: str
    """SHA-512 of the archive in base 64, as a lock file has it."""
    files: dict[str, str]
    """Path in the package to SHA-256."""


PACKAGES = (
    Package(
        "@litertjs/core",
        "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
        {
            "package.json": "1ba6b1c4b25c061cf97876e4846be92f8dfe312d2f78d82ee3ee92ab45c80987",
            "dist/index.js": "e7daccc3a31eef890848a737ccb863ded5f046a6b40c3fdc0556495adeb5d9b3",
            "wasm/litert_wasm_compat_internal.js": "4d8f894b7883654fd6e8439730aa41e79ceaab7d19184fc4f1f0b0f1a2a2c8a5",
            "wasm/litert_wasm_compat_internal.wasm": "5255c8ad06eabdbd2522cdebf6b22fc10faf74625c23a49b9e072570cd1fa41c",
        },
    ),
    Package(
        "@litertjs/wasm-utils",
        "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
        {
            "package.json": "ae611a4748709d61321ab658619617ba5a82212463b2f07a9aea2ad179e34ded",
            "dist/index.js": "e0e20bc28ab001ac732cf40d15b6eebd24fb0deaeb95eeba5100f51eebf015f2",
        },
    ),
)


def files(source: str | Path | None = None) -> dict[str, bytes]:
    """Return the runtime's files by their path, unchanged: from a folder, from the user's cache, or from npm.

    Args:
        source: a folder with `@litertjs/core` and `@litertjs/wasm-utils`, such as the `node_modules` that
            `npm install @litertjs/core@2.5.3` fills, for machines without a network.

    Raises:
        ExportError: if the folder lacks a file or has another version, or the registry does not answer with the pinned
            archive. The registry is npm's, or what the environment variable npm_config_registry names.
    """
    if source is not None:
        return _read(Path(source))
    cache = _cache()
    if not cache.is_dir():
        with replacing(cache) as folder:
            for package in PACKAGES:
                _unpack(package, _download(package), folder / package.name)
    try:
        return _read(cache)
    except ExportError as error:
        raise ExportError(f"{error}. Delete the folder, and it is fetched again") from error


def _read(folder: Path) -> dict[str, bytes]:
    found = {}
    for package in PACKAGES:
        for name, digest in package.files.items():
            path = folder / package.name / name
            if not path.is_file():
                raise ExportError(
                    f"Expected a folder with {package.name} {VERSION}, such as the node_modules of `npm install "
                    f"@litertjs/core@{VERSION}`. Received: {folder}, which lacks {package.name}/{name}"
                )
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != digest:
                raise ExportError(
                    f"Expected {package.name} {VERSION}, unchanged. Received: {path}, which is of another version or "
                    "was changed"
                )
            found[f"{package.name}/{name}"] = content
    return found


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "tfvae", f"litertjs-{VERSION}")


def _download(package: Package, open_url: Callable = urllib.request.urlopen) -> bytes:
    """Return the archive of a package, whose digest is the pinned one."""
    registry = os.environ.get("npm_config_registry") or os.environ.get("NPM_CONFIG_REGISTRY") or _REGISTRY
    address = f"{registry.rstrip('/')}/{package.name}/-/{package.name.split('/')[1]}-{VERSION}.tgz"
    offline = "; without a network, pass runtime=, in the command --runtime, a folder that holds it"
    if not address.startswith(("https://", "http://")):
        raise ExportError(f"Expected npm_config_registry to begin with https://. Received: {registry}")
    try:
        with open_url(address, timeout=_SECONDS) as answer:
            content = answer.read()
    except OSError as error:  # urllib's errors and timeouts are of this kind
        raise ExportError(f"Expected {package.name} {VERSION} from {address}{offline}. Received: {error}") from error
    if base64.b64encode(hashlib.sha512(content).digest()).decode() != package.integrity:
        raise ExportError(
            f"Expected the archive of {package.name} {VERSION} with its pinned SHA-512{offline}. Received: another "
            f"file of {len(content)} bytes from {address}"
        )
    return content


def _unpack(package: Package, content: bytes, folder: Path) -> None:
    """Write the needed files alone: no name in the archive decides where anything is written."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for name in package.files:
            member = archive.extractfile(f"package/{name}")
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(member.read() if member else b"")
