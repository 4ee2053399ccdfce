"""Where it was measured."""

import datetime
import os
import platform
import re
import time
from importlib import metadata
from pathlib import Path

PACKAGES = ("tfvae", "tensorflow", "keras", "tensorflow-probability", "numpy", "torch", "jax", "optax", "pythae")


def version(package: str) -> str | None:
    """Return the installed version of a distribution; None if it is missing."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def describe() -> dict[str, str]:
    """Return processor, cores, memory, operating system, versions, date and load."""
    versions = [f"{package} {found}" for package in PACKAGES if (found := version(package))]
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": f"{_processor()}, {usable} cores",
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "versions": f"Python {platform.python_version()}, {', '.join(versions)}",
        "date": now(),
        "load": " ".join(f"{value:.2f}" for value in load()),
    }


def now() -> str:
    """Return date and time in UTC, to the minute."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def load() -> tuple[float, float, float]:
    """Return the load averages over 1, 5 and 15 minutes; NaN where the system keeps none."""
    return os.getloadavg() if hasattr(os, "getloadavg") else (float("nan"),) * 3


def busy(seconds: float = 1.0) -> float:
    """Return how many cores work while the caller sleeps: what other programs take; NaN where there is no /proc."""
    total, idle = _ticks()
    time.sleep(seconds)
    later, rested = _ticks()
    if later == total:
        return float("nan")
    return (os.cpu_count() or 1) * (1 - (rested - idle) / (later - total))


def _ticks() -> tuple[int, int]:
    """Return the time of all cores since the start of the system, and how much of it they were idle."""
    first = _proc("stat").partition("\n")[0].split()[1:9]  # what comes after is counted in these already
    counts = [int(word) for word in first]
    return sum(counts), sum(counts[3:5])


def _proc(name: str) -> str:
    path = Path("/proc", name)
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _processor() -> str:
    info = _proc("cpuinfo")
    fields = {key: re.search(rf"^{key}\s*: (.*)$", info, re.MULTILINE) for key in ("model name", "cpu family", "model")}
    if fields["model name"] is None:
        return platform.processor() or "unknown"
    name, family, model = (match.group(1) if match else "?" for match in fields.values())
    wide = [word for word in ("avx2", "avx512f", "amx_tile") if f" {word} " in info]
    return f"{name} (family {family}, model {model}, {' '.join(wide)})"


def _memory() -> str:
    total = re.search(r"^MemTotal:\s*(\d+) kB", _proc("meminfo"), re.MULTILINE)
    return f"{int(total.group(1)) / 2**20:.1f} GiB" if total else "unknown"
