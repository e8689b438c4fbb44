"""The runtime `auto`: it chooses for each model the runtime that computes, once, and hands over to it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zoo.backbone import Backbone
from zoo.cache import cache_folder
from zoo.compose import get_runtime
from zoo.errors import WeightsError, reason
from zoo.pairs import find_pair
from zoo.runtime import Compiled, Runtime
from zoo.specs import RuntimeSpec
from zoo.task import Task
from zoo.tuning.choice import Choice, Question, forget, recall, remember
from zoo.tuning.machine import changes, versions

if TYPE_CHECKING:
    from zoo.dataset import Dataset
    from zoo.tuning.contest import Limits

PATIENCE = 2.0  # seconds of waiting for another process before the user is told


def tell(line: str) -> None:
    """Say on stderr what a user would otherwise wait for in the dark."""
    print(line, file=sys.stderr)


class AutoRuntime(Runtime):
    """The fastest of the installed runtimes that answers as `tf` at fp32 does, for one model on this machine.

    What it chose once it remembers, and another process then neither measures nor imports anything but the chosen
    runtime. `spec` is that runtime's from `compile` on.
    only: the name of the one runtime among whose precisions it chooses; "" for any.
    """

    def __init__(self, spec: RuntimeSpec, task: Task, batch_size: int, only: str = "") -> None:
        super().__init__(spec)
        self._task = task
        self._batch_size = batch_size
        self._only = only

    def devices(self) -> Sequence[str]:
        """The devices of the chosen runtime; before there is a choice, those of the reference."""
        from zoo.tuning.contest import REFERENCE

        return get_runtime(self._only or REFERENCE[0]).devices()

    def compile(self, backbone: Backbone, *, device: str | None = None, precision: str = "fp32") -> Compiled:
        """`backbone` on the chosen runtime; precision "auto" lets the choice lower it.

        Raises what `choose` raises, and what the chosen runtime's `compile` does.
        """
        choice = self.choose(backbone, device=device, precision=precision)
        chosen = get_runtime(choice.runtime)
        run = chosen.compile(backbone, device=device, precision=choice.precision)
        run.choice = choice
        self.spec = chosen.spec
        return run

    def remembered(self, backbone: Backbone, *, device: str | None, precision: str) -> Choice | None:
        """The remembered choice, where it still holds: for these versions of everything that is installed."""
        found = recall(self._question(device, precision).key(backbone))
        return found if found and not changes(found.versions, versions()) else None

    def forget(self, backbone: Backbone, *, device: str | None, precision: str) -> bool:
        """Forget the remembered choice; whether there was one."""
        return forget(self._question(device, precision).key(backbone))

    def choose(
        self,
        backbone: Backbone,
        *,
        device: str | None = None,
        precision: str = "fp32",
        data: Dataset | None = None,
        again: bool = False,
        limits: Limits | None = None,
        report: Callable[[str], None] | None = None,
    ) -> Choice:
        """The remembered choice for `backbone`, or one made now, which takes a minute or two, and remembered.

        data: examples to compare runtimes on; again: whatever is remembered; report: told each result in a line.
        Raises what `tf` raises where it can't run the model, RuntimeLoadError where no candidate may be taken,
        InputError without inputs, WeightsError where the cache can't be written.
        """
        if not again and (found := self.remembered(backbone, device=device, precision=precision)):
            return found
        question = self._question(device, precision)
        key = question.key(backbone)
        with _alone():
            before = recall(key)
            changed = changes(before.versions, versions()) if before else []
            if before and not changed and not again:  # another process was faster
                return before
            if changed:
                tell(
                    f"choosing a runtime for {backbone.spec.name!r} anew, for these have changed: {'; '.join(changed)}"
                )
            choice = self._contest(question, backbone, data, limits, report)
            remember(key, choice)
        return choice

    def _question(self, device: str | None, precision: str) -> Question:
        return Question(self._task.spec.name, self._batch_size, precision, device, self._only)

    def _contest(
        self, question: Question, backbone: Backbone, data: Dataset | None, limits: Any, report: Any
    ) -> Choice:
        from zoo.tuning.contest import Contest, Limits
        from zoo.tuning.examples import real_examples

        what = f"{question.task}/{backbone.spec.name}"
        if report is None:
            tell(f"choosing a runtime for {what!r} on this machine: a minute or two, once")
        examples = real_examples(self._task, backbone.spec, backbone.output, question.batch_size, data)
        quietly = report or (lambda line: None)
        choice = Contest(question, self._task, backbone, examples, limits or Limits(), quietly).run()
        if report is None:
            pair = find_pair(self._task.spec, backbone.spec)
            output = None if pair and pair.output == backbone.output else backbone.output
            tell(f"chosen and remembered: {choice} ('{question.command(what, output)}' explains)")
        return choice


@contextmanager
def _alone() -> Iterator[None]:
    """No two contests at a time on one machine: they would measure each other. Raises WeightsError."""
    from filelock import FileLock, Timeout

    lock = FileLock(cache_folder() / "locks" / "tuning.lock")
    try:
        (cache_folder() / "locks").mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout:
            tell("waiting for another process that is trying out runtimes ...")
            lock.acquire()
    except OSError as error:
        raise WeightsError(
            f"the cache {str(cache_folder())!r} can't be written: {reason(error)}; ZOO_CACHE moves it"
        ) from error
    try:
        yield
    finally:
        lock.release()
