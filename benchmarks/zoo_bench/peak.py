"""The peak of the machine: the FLOP/s of a large matrix product, measured here and now at a precision."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

REPEATS = 10
PATIENCE = 3.0  # seconds for all repeats of one size; products of twice the size take eight times as long
LARGEST = 16384
# On a processor TensorFlow computes float16 by way of float32: no peak of anything.
DTYPES = {("cpu", "fp32"), ("cpu", "bf16"), *(("gpu", name) for name in ("fp32", "tf32", "bf16", "fp16"))}


def measurable(device: str, precision: str) -> bool:
    """Whether `peak` can tell anything about that."""
    return (device.partition(":")[0], precision) in DTYPES


def tell_peak(device: str, precision: str, tell: Callable[[Any], None]) -> None:
    """Tell ("peak", what `peak` finds)."""
    tell(("peak", peak(device, precision)))


def peak(device: str, precision: str) -> dict[str, Any]:
    """{"peak": FLOP/s, "peak_method": how it was measured} of TensorFlow's `device` at `precision`.

    The best of ten square matrix products of each size from 1,024 on, as far as that takes seconds at most; the
    operations are 2 n^3.
    """
    from zoo.framework import tf

    dtype = {"bf16": tf.bfloat16, "fp16": tf.float16}.get(precision, tf.float32)
    tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)

    def product(n: int) -> Callable[[], Any]:
        with tf.device(device):
            left, right = (tf.cast(tf.random.stateless_normal((n, n), (n, side)), dtype) for side in (0, 1))

        def multiply() -> Any:
            with tf.device(device):
                return tf.matmul(left, right)[0, 0].numpy()  # a number on the host: the device has finished

        return multiply

    n, best, at = 1024, 0.0, 0
    while True:
        seconds = _best(product(n), REPEATS)
        if 2 * n**3 / seconds > best:
            best, at = 2 * n**3 / seconds, n
        if n == LARGEST or 8 * seconds * REPEATS > PATIENCE:
            break
        n *= 2
    method = (
        f"the best of {REPEATS} products of two matrices {at} x {at} at {precision} by TensorFlow {tf.__version__}, "
        f"2 n^3 operations each; sizes 1024 to {n} were tried"
    )
    return {"peak": best, "peak_method": method}


def _best(run: Callable[[], Any], repeats: int) -> float:
    run()
    found = []
    for _ in range(repeats):
        begun = time.perf_counter()
        run()
        found.append(time.perf_counter() - begun)
    return min(found)
