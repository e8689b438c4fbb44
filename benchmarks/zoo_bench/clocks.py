"""The clocks, power and heat of what computes, read now and then: a figure from a throttled machine is another one."""

from __future__ import annotations

import os
import re
import statistics
from contextlib import suppress
from pathlib import Path
from typing import Any

_CPUINFO = Path("/proc/cpuinfo")
_FIELDS = ("mhz", "memory_mhz", "watts", "celsius")


class ClockReader:
    """Readings of one device; NVML tells of a GPU where nvidia-ml-py is installed, /proc/cpuinfo of a processor."""

    def __init__(self, device: str) -> None:
        self._gpu = _gpu(device)
        self._read = self._read_gpu if self._gpu is not None else _read_processor
        self._source = "nvml" if self._gpu is not None else "cpuinfo"
        self._is_gpu = device.startswith("gpu")
        self._readings: list[dict[str, float | None]] = []

    def read(self) -> None:
        """Take one reading; what nobody tells is left out, and nothing is raised."""
        if not self._is_gpu or self._gpu is not None:
            self._readings.append(self._read())

    def medians(self) -> dict[str, Any] | None:
        """The medians, in the form of `zoo_bench.facts.Clocks`; None where nothing was told."""
        found = {}
        for field in _FIELDS:
            values = [value for reading in self._readings if (value := reading.get(field)) is not None]
            found[field] = statistics.median(values) if values else None
        return {"source": self._source, **found} if any(value is not None for value in found.values()) else None

    def _read_gpu(self) -> dict[str, float | None]:
        import pynvml as nvml

        questions = {
            "mhz": lambda: nvml.nvmlDeviceGetClockInfo(self._gpu, nvml.NVML_CLOCK_SM),
            "memory_mhz": lambda: nvml.nvmlDeviceGetClockInfo(self._gpu, nvml.NVML_CLOCK_MEM),
            "watts": lambda: nvml.nvmlDeviceGetPowerUsage(self._gpu) / 1000,
            "celsius": lambda: nvml.nvmlDeviceGetTemperature(self._gpu, nvml.NVML_TEMPERATURE_GPU),
        }
        found: dict[str, float | None] = {}
        for field, ask in questions.items():
            with suppress(nvml.NVMLError):  # a card that does not tell one thing may tell another
                found[field] = float(ask())
        return found


def load_average() -> float | None:
    """The system's load average over one minute, None where it keeps none."""
    try:
        return round(os.getloadavg()[0], 2)
    except (OSError, AttributeError):
        return None


def _gpu(device: str) -> Any:
    """NVML's handle of a framework's `gpu:INDEX`, which counts the visible cards only; None where there is none."""
    if not device.startswith("gpu"):
        return None
    try:
        import pynvml as nvml
    except ImportError:
        return None
    index = int(device.partition(":")[2] or 0)
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").replace(" ", "").split(",") if name]
    name = visible[index] if index < len(visible) else str(index)
    try:
        nvml.nvmlInit()
        return nvml.nvmlDeviceGetHandleByIndex(int(name)) if name.isdigit() else nvml.nvmlDeviceGetHandleByUUID(name)
    except nvml.NVMLError:
        return None


def _read_processor() -> dict[str, float | None]:
    try:
        text = _CPUINFO.read_text(encoding="utf-8")
    except OSError:
        return {}
    found = [float(value) for value in re.findall(r"^cpu MHz\s*:\s*([\d.]+)", text, re.MULTILINE)]
    return {"mhz": round(statistics.fmean(found), 1)} if found else {}
