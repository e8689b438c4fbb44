"""A warm start: the rows of a head that was fitted before, where its labels are those of the new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from zoo.errors import OptionError
from zoo.labels import LabelSpace
from zoo.model import Model
from zoo.runtime import Array
from zoo.transfer.heads import ADAPTER, DENSE, DenseHead, dense_head, set_dense


@dataclass(frozen=True)
class Start:
    """The head to start from. rows: (its class, the new head's class) of each label that both know; name: its model."""

    head: DenseHead
    rows: Sequence[tuple[int, int]]
    name: str

    @property
    def note(self) -> str:
        """What it did, for whoever reads the results."""
        return f"{len(self.rows)} rows of the head began as those of {self.name}"

    def give(self, model: Any, kind: Any, scale: float) -> None:
        """Set the rows that fit in `model`, a Keras head of features times `scale`; layers below are taken whole.

        An adapter may also begin with the rows of a head without one, since it begins as nothing.
        Raises OptionError where the layers differ in number or size.
        """
        if kind not in DENSE:
            asked = repr(kind) if isinstance(kind, str) else "layers of your own"
            raise OptionError(f"warm_start=True means nothing to head {asked}; {', '.join(map(repr, DENSE))} take it")
        fresh = dense_head(model, kind == ADAPTER, scale)
        own, theirs = ([len(kernel) for kernel, _ in head.layers] for head in (fresh, self.head))
        over = fresh.residual and len(theirs) == 1
        if theirs != (own[-1:] if over else own):
            raise OptionError(
                f"warm_start=True means nothing here: the layers of the head of {self.name} take {theirs} numbers, "
                f"those of the new one {own}; take the same head="
            )
        below = (fresh if over else self.head).layers[:-1]
        set_dense(model, replace(fresh, layers=(*below, self._rows(*fresh.layers[-1]))), scale)

    def _rows(self, kernel: Array, bias: Array) -> tuple[Array, Array]:
        """The last layer, with the rows of the head before where both know the label."""
        known, offset = self.head.layers[-1]
        for old, new in self.rows:
            kernel[:, new], bias[new] = known[:, old], offset[old]
        return kernel, bias


def start_of(model: Model, labels: LabelSpace) -> Start:
    """What a head over `labels` may take from `model`; raises OptionError where `model` has no head that shares any."""
    head = getattr(model, "head", None)
    if not isinstance(head, DenseHead) or model.labels is None:
        raise OptionError(
            f"warm_start=True means nothing to {model.name!r}: it takes the head of a model that was fitted before, "
            "with head 'logistic', 'linear', 'hidden' or 'adapter'"
        )
    known = model.labels.lookup()
    wanted = labels.lookup()
    rows = [(old, wanted[word]) for word, old in known.items() if old is not None and wanted.get(word) is not None]
    if not rows:
        raise OptionError(
            f"warm_start=True means nothing here: {model.name!r} knows none of {labels.label(0)!r} and the other labels"
        )
    return Start(head, sorted({(old, new) for old, new in rows if new is not None}), model.name)
