"""How the harness times: rounds, repeats and their end, batches that belong together, clocks."""

import itertools
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from zoo_bench import machine
from zoo_bench.clocks import ClockReader
from zoo_bench.intervals import is_narrow, rate
from zoo_bench.scenarios import Series, end_to_end, in_turns, offline, single_stream


def test_an_interval_holds_the_median_of_each_round():
    repeats = [(1, 1 / pace) for pace in [100.0] * 30 + [50.0] * 3]
    alone, in_rounds = rate(repeats), rate(repeats, rounds=[0, 30])
    assert (alone.low, alone.value, alone.high) == (100, 100, 100)
    assert (in_rounds.low, in_rounds.value, in_rounds.high) == (50, 100, 100)
    assert is_narrow(repeats)
    assert not is_narrow(repeats, [0, 30])


def test_repeats_end_once_the_interval_is_narrow_and_else_with_the_budget():
    steady = Series(10.0, repeats=[(1, 0.1)] * 12, spent=1.2)
    assert steady.ended == "narrow"
    assert Series(10.0, repeats=[(1, 0.1), (1, 0.3)] * 6, spent=2.4).ended is None
    assert Series(2.0, repeats=[(1, 0.1), (1, 0.3)] * 6, spent=2.4).ended == "budget"
    assert Series(1.0, repeats=[(1, 1.2)], spent=1.2).ended is None  # one is too few for an interval
    assert Series(1.0, repeats=[(1, 1.2)] * 5, spent=6.0).ended == "budget"


def test_a_percentile_is_worth_going_on_for_only_where_it_can_be_reached():
    fast = Series(1.0, goals=(64, 662), repeats=[(1, 0.005)] * 200, spent=1.0)
    slow = Series(1.0, goals=(64, 662), repeats=[(1, 0.05)] * 20, spent=1.0)
    hopeless = Series(1.0, goals=(64, 662), repeats=[(1, 0.2)] * 6, spent=1.2)
    assert (fast.ended, slow.ended, hopeless.ended) == (None, None, "budget")


def test_scenarios_take_turns():
    order = []
    measures = [
        (series := Series(0.03), lambda series, share, name=name: (order.append(name), time.sleep(share)))
        for name in ("a", "b")
    ]
    in_turns(measures)
    assert order[:4] == ["a", "b", "a", "b"]
    assert series.spent >= 0.03


class Piped:
    """A runtime with three batches under way, which end together."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, batch):
        self.calls += 1
        return {"features": batch * 2}

    def stream(self, batches):
        source = iter(batches)
        while burst := list(itertools.islice(source, 3)):
            time.sleep(0.003)
            yield from map(self, burst)


def test_batches_that_end_together_are_one_repeat_and_the_timed_outputs_are_kept():
    batches = [np.full((4, 2), number, np.float32) for number in range(5)]
    latest = {}
    series = Series(0.3)
    measure = offline(Piped(), batches, latest)
    measure(series, 0.1)
    found = rate(series.repeats)
    assert found.value < 1.2 * 12 / 0.003  # a burst of 12 inputs takes 3 ms: no repeat saw the inside of a burst
    assert {place: outputs["features"][0, 0] for place, outputs in latest.items()} == {n: 2 * n for n in range(5)}


def test_a_stretch_without_one_whole_repeat_is_one_that_holds_all_that_belongs_together():
    def outputs(sources):
        while window := list(itertools.islice(sources, 64)):
            time.sleep(0.2)  # far beyond the patience: what was computed together still counts together
            yield from (window[start : start + 8] for start in range(0, 64, 8))

    series = Series(0.01)
    end_to_end(outputs, ["text"] * 10, len)(series, 0.003)
    assert len(series.repeats) == 1
    assert 0.7 * 64 / 0.2 < rate(series.repeats).value < 64 / 0.2


def test_single_stream_sends_the_next_input_when_the_last_is_answered():
    seen = []
    series = Series(0.01)
    single_stream(seen.append, ["a", "b", "c"])(series, 0.01)
    assert seen[:4] == ["a", "b", "c", "a"]
    assert len(series.repeats) == len(seen)


def power(card: int) -> int:
    if card == 1:
        raise RuntimeError("not supported")
    return 250_500


# What `ClockReader` asks of nvidia-ml-py, for two cards of which one does not tell its power.
NVML = SimpleNamespace(
    NVML_CLOCK_SM=1,
    NVML_CLOCK_MEM=2,
    NVML_TEMPERATURE_GPU=0,
    NVMLError=RuntimeError,
    nvmlInit=lambda: None,
    nvmlDeviceGetHandleByIndex=lambda index: index,
    nvmlDeviceGetHandleByUUID=lambda uuid: {"GPU-b": 1}[uuid],
    nvmlDeviceGetClockInfo=lambda card, kind: 1000 * kind + card,
    nvmlDeviceGetTemperature=lambda card, kind: 60 + card,
    nvmlDeviceGetPowerUsage=power,
)


def test_clocks_and_power_are_those_of_the_card_that_the_framework_sees(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", NVML)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-b,0")
    told = []
    for device in ("gpu:0", "gpu:1"):
        reader = ClockReader(device)
        reader.read()
        told.append(reader.medians())
    assert told[0] == {"source": "nvml", "mhz": 1001, "memory_mhz": 2001, "watts": None, "celsius": 61}
    assert told[1] == {"source": "nvml", "mhz": 1000, "memory_mhz": 2000, "watts": 250.5, "celsius": 60}


@pytest.mark.parametrize(
    ("answer", "memory"),
    [
        ("0, GPU-a, NVIDIA H200, 570.1, 143771", [143771 * 2**20]),
        ("0, GPU-a, NVIDIA GB10, 580.2, [N/A]", [0]),
        ("No devices were found", []),
        ("", []),
    ],
)
def test_a_card_that_tells_no_memory_of_its_own_and_none_at_all_are_no_error(answer, memory, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine, "_answer", lambda *command: answer)
    assert [gpu.memory for gpu in machine.gpus.__wrapped__()] == memory


def test_without_nvml_nothing_is_told_of_a_gpu_and_that_is_no_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    reader = ClockReader("gpu:0")
    reader.read()
    assert reader.medians() is None
