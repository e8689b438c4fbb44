"""Strategies: which stages of a network train, at which rate, and in which order; no framework is needed to say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.errors import OptionError
from zoo.transfer.stages import Stage, chosen

STRATEGIES = ("frozen", "last", "full", "gradual", "mixed")
HEAD = "head"
RATE = 1e-4  # of Adam, for weights that were trained before
UNFREEZE = {"last": 2, "gradual": 3}  # stages, where the user says nothing
# By how much a stage of `gradual` learns more slowly than the one above it: ULMFiT's figure (Howard and Ruder 2018).
SLOWER = 2.6
# The share of its rate that a stage of `full` has of the one above it: layer-wise decay as in ELECTRA (Clark et al.
# 2020), BEiT (Bao et al. 2022) and MAE (He et al. 2022), which take 0.65 to 0.8. Three trainings of a MobileNetV2 on
# 400 flowers gave 0.885, 0.890, 0.905 with it and 0.885, 0.890, 0.885 without, where the head alone gave 0.890.
DECAY = 0.75


@dataclass(frozen=True)
class Phase:
    """Epochs that go alike. rates: the learning rate of each stage that trains, and of "head"; others are frozen."""

    epochs: int
    rates: Mapping[str, float]


def plan(
    strategy: str,
    stages: Sequence[Stage],
    *,
    epochs: int,
    rate: float = RATE,
    unfreeze: int | Sequence[str] | None = None,
    mixed: Mapping[str, str | float] | None = None,
) -> tuple[Phase, ...]:
    """The phases of `strategy` over the stages of a network.

    unfreeze: so many stages from the top for "last" and "gradual", or names of stages; mixed: "train", "freeze" or a
    rate by the name of a stage, or of "head"; a stage that it does not name is frozen.
    "full" trains every stage, each at 0.75 times the rate of the one above it.
    "gradual" begins with the head, which has been trained on the frozen features before; the stages then join one by
    one from the top, each 2.6 times slower than the one above it. The epochs are shared out among them.
    Raises OptionError for settings that mean nothing to the strategy.
    """
    able = [stage.name for stage in stages if stage.trainable]
    if strategy == "full":
        return (Phase(epochs, {HEAD: rate, **{name: rate * DECAY**depth for depth, name in enumerate(able[::-1])}}),)
    if mixed is not None:
        return (Phase(epochs, _mixed(mixed, stages, rate)),)
    top = _top(strategy, stages, able, unfreeze)
    if strategy == "last":
        return (Phase(epochs, dict.fromkeys([*top, HEAD], rate)),)
    if epochs < len(top):
        raise OptionError(
            f"epochs={epochs!r} are too few for strategy='gradual' with {len(top)} stages; each needs one or more"
        )
    rates, phases = {HEAD: rate}, []
    for number, name in enumerate(reversed(top)):
        rates = rates | {name: rate / SLOWER**number}
        share = epochs * (number + 1) // len(top) - epochs * number // len(top)
        phases.append(Phase(share, rates))
    return tuple(phases) or (Phase(epochs, rates),)


def require_settings(settings: Any) -> None:
    """Raise OptionError for a setting that means nothing to the strategy, or nothing at all.

    settings: a `zoo.transfer.unfrozen.TuningSettings`.
    """
    strategy, rate, patience = settings.strategy, settings.learning_rate, settings.early_stopping
    if strategy not in STRATEGIES:
        raise OptionError(f"there is no strategy {strategy!r}; there are {_told(STRATEGIES)}")
    if rate is not None and not rate > 0:
        raise OptionError(f"learning_rate={rate!r} means nothing; it is above 0")
    if patience is not None and patience < 1:
        raise OptionError(f"early_stopping={patience!r} means nothing; it is a number of epochs, at least 1")
    if settings.unfreeze is not None and strategy not in UNFREEZE:
        raise OptionError(
            f"unfreeze={settings.unfreeze!r} means nothing to strategy={strategy!r}; {_told(tuple(UNFREEZE))} take it"
        )
    if (settings.mixed is not None) != (strategy == "mixed"):
        raise OptionError(
            "strategy='mixed' and mixed={STAGE: 'train', 'freeze' or a rate, ...} go together; "
            f"asked were strategy={strategy!r} and mixed={settings.mixed!r}"
        )
    if settings.batch_norm not in ("inference", "train"):
        raise OptionError(f"batch_norm={settings.batch_norm!r} means nothing; it is 'inference' or 'train'")
    if settings.batch_norm == "train" and strategy != "full":
        raise OptionError(
            f"batch_norm='train' would move the statistics of stages that strategy={strategy!r} freezes; take "
            "strategy='full'"
        )
    if strategy == "frozen" and settings.mixed_precision:
        raise OptionError(
            "mixed_precision=True means nothing to strategy='frozen', which trains a head alone; the backbone is run "
            "in half precision by zoo.get(..., precision='bf16')"
        )


def _top(strategy: str, stages: Sequence[Stage], able: Sequence[str], unfreeze: Any) -> list[str]:
    """The stages to train, in graph order."""
    wanted = UNFREEZE[strategy] if unfreeze is None else unfreeze
    if isinstance(wanted, int) and not isinstance(wanted, bool):
        if not 0 <= wanted <= len(able) and unfreeze is not None:
            raise OptionError(
                f"unfreeze={wanted!r} means nothing here: the network has {len(able)} stages, {_told(able)}"
            )
        return list(able[max(len(able) - wanted, 0) :])
    if isinstance(wanted, str):
        wanted = [wanted]
    if not isinstance(wanted, Sequence) or not all(isinstance(name, str) for name in wanted):
        raise OptionError(f"unfreeze={unfreeze!r} means nothing; it is a number of stages, or their names")
    names = set(chosen(stages, wanted))
    return [name for name in able if name in names]


def _mixed(mixed: Mapping[str, str | float], stages: Sequence[Stage], rate: float) -> dict[str, float]:
    rates = {HEAD: rate}
    for name, value in mixed.items():
        if value == "train":
            given = rate
        elif value == "freeze":
            given = 0.0
        elif isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            given = float(value)
        else:
            raise OptionError(f"mixed[{name!r}]={value!r} means nothing; it is 'train', 'freeze' or a learning rate")
        rates |= dict.fromkeys([HEAD] if name == HEAD else chosen(stages, [name]), given)
    rates = {name: given for name, given in rates.items() if given > 0}
    if not rates:
        raise OptionError(f"mixed={dict(mixed)!r} freezes everything, the head too; nothing is left to train")
    return rates


def _told(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
