"""What a row is made of: figures with their intervals, and the facts that a reader needs to judge and repeat them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Facts(BaseModel):
    """The common ground: frozen, and fields that a later version added are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Interval(Facts):
    """A figure with its 95 % interval, None where unknown, and the number of observations behind it."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int


class Rate(Interval):
    """Inputs per second: the median of `n` repeats with the interval of the median, which holds that of each round.

    ended: why no more repeats were made: "narrow", the interval's half-width had come under 2.5 % of the median, or
        "budget", the time was spent. None in rows of format 1.
    """

    ended: str | None = None


class Latency(Facts):
    """Single stream: percentiles over `n` calls with one input each, one after the other, in seconds, by nearest rank.

    A percentile is None where fewer calls were made than it needs, `needs` by name: 64 for "p90", 662 for "p99", the
    counts that MLPerf's early stopping asks for. `bounds` are what early stopping reports for each: the latency under
    which the true percentile lies with 99 % confidence. Both are empty in rows of format 1.
    """

    p50: float | None
    p90: float | None
    p99: float | None
    n: int
    bounds: dict[str, float | None] = {}
    needs: dict[str, int] = {}


class Memory(Facts):
    """Peak memory in bytes from before loading to the end of the speed measurements.

    kind: "device", a GPU's memory as the framework counts it, or "resident", the process's own on a CPU, which holds
        the framework, the weights and the prepared inputs, but of shared libraries only the pages that were touched.
    before: the resident memory before loading, in bytes; None for a device.
    shared: the runtime's modules that had been imported before the process was forked, of which only the pages count
        that it touched; where several runtimes are measured at once, each process imports its own. None: not known.
    """

    peak: int
    kind: str
    before: int | None = None
    shared: tuple[str, ...] | None = None


class Measured(Facts):
    """The dataset behind the metrics. n: how many of its `size` examples count; unread: how many could not be read."""

    name: str
    split: str = ""
    fingerprint: str
    size: int
    n: int
    unread: int = 0


class PublishedFigure(Facts):
    """A published figure beside the measured one. difference: measured - published, None where not comparable.

    why: what stands in the way of a comparison; empty where nothing does.
    tolerance: how far the same weights were seen to differ between evaluations, in the metric's unit; within: whether
        the difference is not larger. None where nobody has measured that, or there is no difference.
    """

    metric: str
    dataset: str
    split: str
    value: float
    source: str
    difference: float | None = None
    why: str = ""
    tolerance: float | None = None
    within: bool | None = None


class Fitted(Facts):
    """How a head was trained on one's own data before the pair was measured, on examples that were held out.

    strategy: as `Model.fit` has it, or the name of the baseline; head: what was trained, in one word.
    seconds: of the training alone, from a model that was not loaded: weights read, features computed anew, the head
        trained and judged; without importing frameworks, and without what is done once for all runs (conversions,
        choices). parts: seconds of its parts, as the training tells of them.
    examples: how many it was given, of which `unread` could not be read.
    saved: bytes of the fitted model as it was saved, with weights and head.
    """

    strategy: str
    head: str = ""
    seconds: float | None = None
    parts: dict[str, float] = {}
    examples: int
    unread: int = 0
    saved: int | None = None


class Tried(Facts):
    """One step of the search for a batch size: inputs per second there, or the error that it ended with."""

    batch_size: int
    rate: float | None = None
    error: str | None = None


class Compute(Facts):
    """What the network computes, and how near that comes to what the machine can.

    flops: floating-point operations for one input, a multiply-add counted as two, as `method` says.
    achieved: FLOP/s, `flops` times the throughput.
    peak: FLOP/s of this machine's device at the row's precision, measured as `peak_method` says; None where it was not
        measured. share: achieved / peak.
    """

    flops: float
    method: str
    achieved: float | None = None
    peak: float | None = None
    peak_method: str = ""
    share: float | None = None


class Check(Facts):
    """How well the timed run gave the outputs of the accuracy run; a row where it did not is an error.

    against: "accuracy run", or "single calls" where no dataset was at hand.
    measure: what `value` counts, in words; threshold: the least that is accepted; n: how many inputs were compared.
    """

    against: str
    measure: str
    value: float
    threshold: float
    n: int


class Clocks(Facts):
    """Medians of what was read at the end of each round of the throughput; None for what nobody tells.

    source: "nvml" for a GPU, else "cpuinfo". mhz: the GPU's SM clock, or the mean over the processor's cores.
    memory_mhz, watts, celsius: the GPU's.
    load: the system's load average over one minute before the pair began; its own share of it is not taken out.
    """

    source: str
    mhz: float | None = None
    memory_mhz: float | None = None
    watts: float | None = None
    celsius: float | None = None
    load: float | None = None


class Gpu(Facts):
    """A graphics processor; memory in bytes."""

    name: str
    driver: str
    memory: int


class Machine(Facts):
    """The machine; memory in bytes, cores those that this process may use."""

    processor: str
    cores: int
    memory: int
    gpus: tuple[Gpu, ...] = ()
    system: str
