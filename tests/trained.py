"""What tests of training share: a few pictures, and which variables a training changed."""

from PIL import Image

from zoo.backbone import load_backbone


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
