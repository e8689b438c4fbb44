"""Every error a user of the zoo can meet; each message says what was asked, what is true and what to do.

ZooError
├── UnknownNameError (LookupError)   a name that no plugin registered
├── DuplicateNameError               one name claimed by two plugins
├── PairError                        a task and a backbone that do not fit
│   └── NotFittedError               a pair that fits, but has no trained head yet
├── SpecError                        facts that contradict each other: a catalogue row, an entry of a plugin
├── PluginError                      a plugin that could not be taken in
├── MissingPackageError (ImportError)  an optional package is absent; carries the exact `pip install`
├── OptionError                      an argument or option that means nothing here
├── WeightsError                     weights that cannot be found, read or trusted
│   ├── DownloadError                no source delivered; lists each source and what it answered
│   └── ArchiveError                 an archive that is broken or tries to write outside its folder
├── BackboneError                    weights that are there but do not make the network the spec promises
├── RuntimeLoadError                 a runtime that cannot take this backbone, device or precision
├── ExportError                      a model that a format can't hold, or that answers otherwise in it
├── InputError                       a picture or text that cannot be read
├── LabelError                       label spaces that cannot be reconciled
└── DatasetError                     a dataset that is missing, empty or malformed
    └── SplitError                   one that is parted, and of which no part was named; carries their names
"""

from __future__ import annotations

from typing import Any


class ZooError(Exception):
    """The base of all errors of the zoo."""


class ZooWarning(UserWarning):
    """Something that is probably wrong, and that the zoo goes on with."""


class UnknownNameError(ZooError, LookupError):
    """A name that no plugin registered."""


class DuplicateNameError(ZooError):
    """One name claimed by two plugins."""


class PairError(ZooError):
    """A task and a backbone that do not fit."""


class NotFittedError(PairError):
    """A pair that fits, but has no trained head yet."""


class SpecError(ZooError, ValueError):
    """Facts that contradict each other or miss a field."""


class PluginError(ZooError):
    """A plugin that could not be taken in."""


class MissingPackageError(ZooError, ImportError):
    """An optional package is absent; the message carries the exact `pip install`."""


def how_to_install(module: str) -> str:
    """The command that brings the package of `module`, at a version that fits."""
    return {"tensorflow_text": "pip install 'tf-model-zoo[text]'"}.get(module, f"pip install {module}")


class OptionError(ZooError, ValueError):
    """An argument or option that means nothing here; on the command line wrong usage, exit code 2."""


class WeightsError(ZooError):
    """Weights that cannot be found, read or trusted."""


class DownloadError(WeightsError):
    """No source delivered; the message lists each source and what it answered."""


class ArchiveError(WeightsError):
    """An archive that is broken or tries to write outside its folder."""


class BackboneError(ZooError):
    """Weights that are there but do not make the network that the spec promises."""


class RuntimeLoadError(ZooError):
    """A runtime that cannot take this backbone, device or precision."""


class ExportError(ZooError):
    """A model that a format can't hold, or that answers otherwise in it."""


class InputError(ZooError, ValueError):
    """A picture or a text that cannot be read. source: what was to be read, where it is known."""

    source: Any = None


class LabelError(ZooError, ValueError):
    """Label spaces that cannot be reconciled."""


class DatasetError(ZooError, ValueError):
    """A dataset that is missing, empty or malformed."""


def reason(error: Exception) -> str:
    """What went wrong, in words: of a system's error neither its number nor the path, which the message names."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


class SplitError(DatasetError):
    """A dataset that is parted, of which no part was named. splits: the names of its parts."""

    def __init__(self, message: str, splits: tuple[str, ...]) -> None:
        super().__init__(message)
        self.splits = splits
