"""Published figures beside measured ones: a difference only where dataset, split and metric are the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zoo.specs import Published
from zoo_bench.facts import Interval, Measured, PublishedFigure


@dataclass(frozen=True)
class PublicSet:
    """A public evaluation set: parts of the names it goes by, and the number of examples in each split."""

    words: tuple[str, ...]
    sizes: Mapping[str, int]


# A path proves nothing by its name alone; name and size together do. Sizes as the sets' own publishers state them.
PUBLIC = {
    "imagenet1k": PublicSet(("imagenet", "ilsvrc2012"), {"val": 50_000}),
    "imagenetv2matchedfrequency": PublicSet(("imagenetv2",), {"test": 10_000}),
    "imagenetr": PublicSet(("imagenetr",), {"test": 30_000}),
    "imageneta": PublicSet(("imageneta",), {"test": 7_500}),
    "imagenetsketch": PublicSet(("imagenetsketch",), {"test": 50_889}),
    "coco2017": PublicSet(("coco", "val2017"), {"val": 5_000, "test": 40_670, "test-dev": 20_288}),
    "stsbenchmark": PublicSet(("stsb", "stsbenchmark"), {"train": 5_749, "dev": 1_500, "test": 1_379}),
}
FAR = 0.05
# How far evaluations of the same published weights on ImageNet-1k came out apart, among 28 models of which two are
# known: by family, Google's own up to 0.6 points, ports of ViT and Mixer up to 1.5. Of other families nothing is known.
TOLERANCE = {
    **dict.fromkeys(("inception", "inception_resnet", "nasnet", "pnasnet", "bit"), 0.006),
    **dict.fromkeys(("mobilenet_v1", "mobilenet_v2", "mobilenet_v3", "resnet_v1", "resnet_v2"), 0.006),
    **dict.fromkeys(("efficientnet", "efficientnet_v2"), 0.006),
    **dict.fromkeys(("vit", "mlp_mixer"), 0.015),
}
_NOTHING = Interval(value=None, n=0)
SPLITS = {"validation": "val", "valid": "val", "eval": "val"}


def compare(
    published: Iterable[Published], metrics: Mapping[str, Interval], dataset: Measured | None, family: str = ""
) -> tuple[PublishedFigure, ...]:
    """Each published figure, with its difference from the measured one or the reason why there is none.

    family: the network's, on which depends how much such figures differ anyway.
    """
    figures = []
    for figure in published:
        measured = metrics[figure.metric].value if figure.metric in metrics else None
        why = "" if dataset and measured is not None and _same(figure, dataset) else _obstacle(figure, metrics, dataset)
        difference = None if why or measured is None else measured - figure.value
        tolerance = _tolerance(figure, family)
        figures.append(
            PublishedFigure(
                **{name: getattr(figure, name) for name in ("metric", "dataset", "split", "value", "source")},
                difference=difference,
                why=why,
                tolerance=tolerance,
                within=None if difference is None or tolerance is None else abs(difference) <= tolerance,
            )
        )
    return tuple(figures)


def suspicions(figures: Iterable[PublishedFigure], metrics: Mapping[str, Interval]) -> list[str]:
    """What to doubt where a figure on other data lies far above the published one."""
    return [
        f"{figure.metric} lies far above the published {figure.value:g} ({figure.dataset} {figure.split}): "
        f"an easier sample, or one that was probably seen in training"
        for figure in figures
        if figure.why and ((metrics.get(figure.metric) or _NOTHING).low or 0) > figure.value + FAR
    ]


def _tolerance(figure: Published, family: str) -> float | None:
    on_imagenet = figure.dataset == "imagenet-1k" and figure.metric in ("top1", "top5")
    return TOLERANCE.get(family) if on_imagenet else None


def _same(figure: Published, dataset: Measured) -> bool:
    """Whether the figure was published for what was measured: a named set and split, whole."""
    if dataset.n != dataset.size:
        return False
    split = SPLITS.get(dataset.split, dataset.split)
    wanted = SPLITS.get(figure.split, figure.split)
    if figure.dataset == dataset.name and split == wanted:
        return True
    public = PUBLIC.get(_plain(figure.dataset))
    named = public is not None and any(word in _plain(dataset.name) for word in public.words)
    return bool(public and named and public.sizes.get(wanted) == dataset.size)


def _obstacle(figure: Published, metrics: Mapping[str, Interval], dataset: Measured | None) -> str:
    if dataset is None or not metrics:
        return "nothing was measured"
    if figure.metric not in metrics:
        return f"{figure.metric} was not measured"
    return f"measured on {dataset.n} examples of {dataset.name}, not on {figure.dataset} {figure.split}".rstrip()


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
