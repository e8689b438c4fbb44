"""TensorFlow and Keras, imported as quietly as TF_CPP_MIN_LOG_LEVEL asks; their share of a GPU's memory grows."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Keep what C++ writes to stderr while it lasts; shown after all if an exception ends it."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        except BaseException:
            chatter.seek(0)
            os.write(kept, chatter.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


# Its chatter about CPU features and absent GPUs is no user's concern ('zoo doctor' has what is); the variable decides.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Else it takes a GPU's whole memory, and a runtime for which it only converts a network finds none.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
# TensorFlow 2.21 writes half a dozen lines before it has read the variable that forbids them.
if os.environ["TF_CPP_MIN_LOG_LEVEL"] != "0":
    with _held_back():
        import tensorflow as tf
else:
    import tensorflow as tf

if TYPE_CHECKING:
    import keras

__all__ = ["keras", "tf"]


def __getattr__(name: str) -> Any:
    """`keras`, imported when it is asked for, and after TensorFlow: by itself it would import that with its chatter."""
    if name != "keras":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(name)
