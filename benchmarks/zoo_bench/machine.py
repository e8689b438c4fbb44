"""Facts about the machine and the software: everything that a reader of a row must know to repeat it."""

from __future__ import annotations

import functools
import os
import platform
import shlex
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import zoo
from zoo.plugins import installed
from zoo_bench.facts import Gpu, Machine

PACKAGES = ("tensorflow", "keras", "numpy", "tensorflow-text", "jaxlib", "nvidia-ml-py")
# Prefixes of what changes how frameworks compute; not of what names places on this machine.
LISTENED_TO = (
    *("TF_ENABLE_", "TF_NUM_", "TF_XLA_", "TF_GPU_", "TF_FORCE_", "TF_CUDNN_", "TF_DETERMINISTIC_", "XLA_", "JAX_"),
    *("OMP_", "KMP_", "MKL_", "ONEDNN_", "DNNL_", "OV_", "ORT_", "CUDA_VISIBLE_", "NVIDIA_TF32_"),
)


@functools.cache
def machine() -> Machine:
    """This machine: processor, cores, memory, GPUs, system."""
    import psutil

    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=psutil.virtual_memory().total,
        gpus=gpus(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
    )


@functools.cache
def gpus() -> tuple[Gpu, ...]:
    """The NVIDIA GPUs that a framework would see, in its order, as `nvidia-smi` names them."""
    fields = "index,uuid,name,driver_version,memory.total"
    answer = _answer("nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits")
    rows = [[cell.strip() for cell in line.split(",")] for line in answer.splitlines() if line.count(",") == 4]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        by_id = {id: row for row in rows for id in row[:2]}
        rows = [by_id[id] for id in visible.replace(" ", "").split(",") if id in by_id]
    # A card that shares the processor's memory has none of its own to tell: "[N/A]".
    return tuple(Gpu(name=row[2], driver=row[3], memory=int(row[4]) * 2**20 if row[4].isdigit() else 0) for row in rows)


def device_name(device: str) -> str:
    """The name of the hardware behind a runtime's word for it: `cpu`, `gpu:0`."""
    kind, _, index = device.partition(":")
    here = machine()
    if kind == "gpu" and int(index or 0) < len(here.gpus):
        return here.gpus[int(index or 0)].name
    return here.processor if kind == "cpu" else device


@functools.cache
def versions() -> dict[str, str]:
    """The versions of the zoo, of Python, and of the installed packages that compute, those of every runtime."""
    runtimes = [module for spec in installed().runtimes for module in spec.requires]
    found = {"zoo": zoo.__version__, "python": platform.python_version()}
    for package in dict.fromkeys((*PACKAGES, *runtimes)):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    commit = _commit()
    return found | ({"commit": commit} if commit else {})


def environment() -> dict[str, str]:
    """The variables that frameworks and their libraries listen to, as they are set."""
    return {name: value for name, value in sorted(os.environ.items()) if name.startswith(LISTENED_TO)}


def command_line() -> str:
    """The command that is running, without the folder that it was started from."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


@functools.cache
def _commit() -> str:
    """The zoo's git commit, `-dirty` behind it where files were changed; empty for an installed zoo."""
    root = Path(zoo.__file__).parents[1]
    return _answer("git", "-C", str(root), "describe", "--always", "--dirty") if (root / ".git").exists() else ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _answer(*command: str) -> str:
    """What a command prints, or nothing where it is not there or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
