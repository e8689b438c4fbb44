"""What tests of training share: a few pictures, which variables a training changed, and a runtime that is known."""

from datetime import UTC, datetime

from PIL import Image

import zoo
from zoo.backbone import load_backbone
from zoo.tuning.choice import Choice, Question, Verdict, remember
from zoo.tuning.machine import machine, versions

DIGITS = "tiny_digits"


def pictures(folder, **classes):
    """Pictures of digits by class folder: name=(digit, how many)."""
    examples = list(zoo.get("classification", "tiny_cnn_s").dataset(DIGITS))
    for name, (digit, count) in classes.items():
        (folder / name).mkdir(parents=True)
        found = [example.input for example in examples if example.target == digit]
        for number, source in enumerate(found[:count]):
            Image.open(source).save(folder / name / f"{number}.png")
    return folder


def few_digits(model, folder):
    """`folder`, filled with 20 zeros and 20 ones, as a dataset."""
    counts = dict.fromkeys((0, 1), 0)
    for example in model.dataset("tiny_digits"):
        if counts.get(example.target, 20) < 20:
            counts[example.target] += 1
            place = folder / f"digit {example.target}"
            place.mkdir(parents=True, exist_ok=True)
            Image.open(example.input).convert("RGB").save(place / f"{counts[example.target]}.png")
    return f"folder:{folder}"


def variables(model):
    backbone = load_backbone(model.spec, "features", model.files("features"))
    return {name: variable.numpy() for name, variable in backbone.variables().items()}


def changed(before, after):
    """The names of the variables that differ in a bit, of two models."""
    old, new = variables(before), variables(after)
    return {name for name in old if old[name].tobytes() != new[name].tobytes()}


def key_of(model, only=""):
    """Under which the choice of a runtime for the features of `model` is remembered."""
    backbone = load_backbone(model.spec, "features", model.files("features"))
    return Question("classification", 32, "fp32", None, only).key(backbone)


def known(model, runtime):
    """Remember, as a contest does, that `runtime` was the fastest right one for the features of `model`."""
    verdict = Verdict(runtime=runtime, precision="fp32", outcome="chosen", reason="2 times as fast as tf fp32")
    choice = Choice(
        model=model.name,
        output="features",
        runtime=runtime,
        precision="fp32",
        batch_size=32,
        asked="fp32",
        only="",
        examples=40,
        inputs="digits",
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine(),
        versions=versions(),
        verdicts=(verdict,),
    )
    remember(key_of(model), choice)
