"""What TensorFlow makes of this machine's GPUs: their names, and the libraries that it could not load."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SCRIPT = """
import json
import tensorflow as tf
named = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
print(json.dumps([[one.get("device_name", "GPU"), one.get("compute_capability")] for one in named]))
"""
# TensorFlow tells which library is missing to those alone who ask its loader to talk.
TALKING = {"TF_CPP_MIN_LOG_LEVEL": "0", "TF_CPP_VMODULE": "dso_loader=1"}
MISSING = re.compile(r"Could not load dynamic library '([^']+)'")
DRIVER = "libcuda.so.1"  # which comes with the GPU's driver, the others with pip
DRIVER_FILES = ("/proc/driver/nvidia/version", "/dev/nvidiactl")


@dataclass(frozen=True)
class Gpus:
    """names: of the GPUs that TensorFlow sees, with their compute capability; missing: libraries that it lacks.

    driver: whether the machine has a driver for NVIDIA's GPUs; error: why TensorFlow could not be asked.
    """

    names: tuple[str, ...]
    missing: tuple[str, ...]
    driver: bool
    error: str = ""


class Question:
    """TensorFlow, asked in a process of its own while others go on."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **TALKING},
        )

    def answer(self, patience: float = 120) -> Gpus:
        """What it said; waits so many seconds at most."""
        driver = any(Path(file).exists() for file in DRIVER_FILES)
        try:
            told, chatter = self._process.communicate(timeout=patience)
            return read(told, chatter, driver)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return Gpus((), (), driver, f"TensorFlow did not start within {patience:g} seconds")


def read(told: str, chatter: str, driver: bool) -> Gpus:
    """The answer of `SCRIPT`, and what TensorFlow wrote to stderr meanwhile."""
    missing = tuple(dict.fromkeys(MISSING.findall(chatter)))
    try:
        found = json.loads(told.strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = (chatter.strip().splitlines() or ["it said nothing"])[-1]
        return Gpus((), missing, driver, f"TensorFlow can't be imported: {last[:300]}")
    names = tuple(f"{name} ({'.'.join(map(str, level))})" if level else str(name) for name, level in found)
    return Gpus(names, missing, driver)
