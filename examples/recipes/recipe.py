"""What the recipes share: their arguments, a header that says which weights run, and what they print at the end."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zoo


def arguments(about: str, argv: Sequence[str] | None, *, data: str, epochs: int, **more: str) -> argparse.Namespace:
    """--data, --split, --validation, --weights and --epochs, and `more` by name with what they are by default.

    about: the recipe's docstring, which --help shows.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=data, help=f"what to learn from, as 'zoo fit' takes it ({data})")
    parser.add_argument("--split", help="the split of --data to learn from, in its own words")
    parser.add_argument("--validation", help="the share held out, or a dataset (0.2, or what --data has for it)")
    parser.add_argument("--weights", default="published", help="'published' (fetched), a path, or the other word above")
    parser.add_argument("--epochs", type=int, default=epochs, help=f"at most so many ({epochs})")
    for name, default in more.items():
        parser.add_argument(f"--{name}", default=default, help=f"see above ({default})")
    return parser.parse_args(argv)


def backbone(name: str | zoo.BackboneSpec, chosen: argparse.Namespace) -> Any:
    """The classifier on a backbone with the weights that were asked for; its header is printed."""
    told = {"published": "published", "random": "random, so that no accuracy is shown", "tiny": "the zoo's own"}
    given: Any = None if chosen.weights in ("published", "tiny") else chosen.weights
    if chosen.weights == "random":
        given = random_weights(name)
    model = zoo.get("classification", name, weights={"features": given} if given else None)
    print(f"{model.spec.name} on {chosen.data}; weights: {told.get(chosen.weights, f'local, {chosen.weights}')}")
    return model


def data_of(chosen: argparse.Namespace) -> dict[str, Any]:
    """What `Model.fit` wants to know of the data."""
    found = {"data": chosen.data, "split": chosen.split, "validation": chosen.validation}
    if chosen.validation and chosen.validation.replace(".", "", 1).isdigit():
        found["validation"] = float(chosen.validation)
    return {name: value for name, value in found.items() if value is not None}


def show(fitted: Any, chosen: argparse.Namespace) -> None:
    """How training went; accuracies only where the weights know something."""
    told = fitted.training
    epochs = len(fitted.history["val_loss"])
    how = f"{epochs} epochs" if epochs > 1 else "one pass"
    print(f"{told.strategy}, {told.head} head: {told.examples} examples, {how}, {sum(told.seconds.values()):.1f} s")
    if chosen.weights != "random":
        print(f"validation accuracy {fitted.history['val_accuracy'][-1]:.3f} on {told.validation} examples")


def random_weights(name: Any) -> Path:
    """A file of random weights of a Keras Application, so that a recipe runs where nothing can be fetched."""
    import zoo.framework  # TensorFlow, quietly, before Keras imports it loudly
    import keras  # isort: skip

    spec = zoo.spec(name)
    build = getattr(keras.applications, spec.options["application"])
    keras.utils.set_random_seed(0)
    model = build(weights=None, include_top=False, pooling="avg", input_shape=(*spec.input.size, spec.input.depth))
    file = Path(tempfile.mkdtemp(prefix="zoo-recipe-"), f"{spec.name}.weights.h5")
    model.save_weights(file)
    return file
