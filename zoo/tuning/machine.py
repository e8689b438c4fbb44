"""What a choice holds for: this machine, and the versions of what computes on it. No framework is imported."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

from zoo.plugins import AUTO, installed
from zoo.specs import RuntimeSpec

NVIDIA = Path("/proc/driver/nvidia/gpus")


def machine() -> dict[str, str]:
    """The processor, how many cores this process may use, and the NVIDIA GPUs that it may see."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"processor": _processor(), "cores": str(cores), "gpus": ", ".join(gpus())}


def gpus() -> list[str]:
    """The NVIDIA GPUs by name as their driver lists them; none where `CUDA_VISIBLE_DEVICES` hides them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1"):
        return []
    names = []
    for facts in sorted(NVIDIA.glob("*/information")):
        lines = facts.read_text(encoding="utf-8", errors="replace").splitlines()
        names += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return [*names, f"visible: {visible}"] if names and visible else names


def runtimes() -> list[RuntimeSpec]:
    """The registered runtimes among which there is a choice, by name."""
    return [spec for spec in installed().runtimes if spec.name != AUTO.name]


def versions() -> dict[str, str]:
    """The versions of the runtimes' plugins and of the packages that they require; "" where not installed."""
    plugins = installed()
    found = {}
    for spec in runtimes():
        found[f"plugin of {spec.name}"] = plugins.origins.get(plugins.runtimes.owner(spec.name), "")
        found |= {module: "" if find_spec(module) is None else _version(module) for module in spec.requires}
    return found


def changes(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """In words, what is not as it was between two answers of `versions`."""
    told = []
    for name in sorted({*before, *now}):
        old, new = before.get(name, ""), now.get(name, "")
        if old != new:
            told.append(f"{name} {old or 'not installed'} -> {new or 'not installed'}")
    return told


def _version(module: str) -> str:
    """The version of the distribution that brings `module`; a name of its own costs a walk through all of them."""
    try:
        return version(module)
    except PackageNotFoundError:
        owners = packages_distributions().get(module, ())
        return ", ".join(f"{owner} {version(owner)}" for owner in sorted(set(owners))) or "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
