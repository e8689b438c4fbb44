"""`zoo show`: every fact about one backbone, with where it is from; nothing here imports a framework."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from zoo.cli import zoo
from zoo.cli.listing import called, input_in_short, tasks_of
from zoo.measured import kept
from zoo.plugins import installed
from zoo.specs import BackboneSpec, ImageInput, OutputSpec, Published, TextInput

Line = tuple[str, str]


@zoo.command("show")
@click.argument("name")
@click.option("--stages", is_flag=True, help="List the stages that 'zoo fit --unfreeze' takes; loads the network.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def show_command(name: str, stages: bool, as_json: bool) -> None:
    """Show every fact about the backbone NAME (a name, alias or handle), and where it is from.

    What says nothing else is from the page named as source. What the publisher does not say is shown as unstated.
    Measured is what `zoo bench` found on this machine.
    """
    plugins = installed()
    spec = plugins.backbones.get(name)
    if stages:
        _stages(spec, as_json)
        return
    if as_json:
        click.echo(json.dumps(spec.model_dump(mode="json"), indent=1))
        return
    lines = [
        ("name", spec.name),
        ("also called", called(spec)),
        ("plugin", plugins.backbones.owner(spec.name)),
        *_facts(spec),
        ("tasks", tasks_of(plugins, spec)),
        ("not run yet", spec.unread),
        *_input(spec),
        ("needs", ", ".join(spec.imports)),
        *(line for output in spec.outputs for line in _output(spec, output)),
        *(("companion", f"{handle}: {what}") for handle, what in spec.companions.items()),
        *(("published", _figure(figure)) for figure in spec.published),
        *(("measured", f"{figures}: {setting} ({date})") for setting, figures, date in kept(spec.name)),
        ("unstated", ", ".join(spec.unstated)),
    ]
    for key, value in lines:
        if value:
            click.echo(f"{key:<12} {value}")


def _stages(spec: BackboneSpec, as_json: bool) -> None:
    from zoo import weights
    from zoo.backbone import load_backbone
    from zoo.transfer.stages import stages_of

    output = "features" if "features" in spec.outputs else next(iter(spec.outputs))
    file = weights.fetch(spec.outputs[output].weights, wanted_by=f"the stages of {spec.name!r}")
    files = {"weights": file}
    if before := getattr(spec.input, "preprocessor", None):
        files["preprocessor"] = weights.fetch(before, wanted_by=f"the preprocessor of {spec.name!r}")
    found = stages_of(load_backbone(spec, output, files))
    if as_json:
        rows = [{"stage": s.name, "parameters": s.parameters, "trainable": s.trainable} for s in found]
        click.echo(json.dumps(rows, indent=1))
        return
    width = max(len("stage"), *(len(stage.name) for stage in found))
    click.echo(f"{'stage':<{width}} {'parameters':>12} {'trainable':>12}")
    for stage in found:
        click.echo(f"{stage.name:<{width}} {stage.parameters:>12,} {stage.trainable:>12,}")


def _facts(spec: BackboneSpec) -> Iterator[Line]:
    yield "family", spec.family
    yield "architecture", spec.architecture
    yield "trained on", spec.trained_on
    yield "languages", ", ".join(spec.languages)
    yield "parameters", _noted(spec, "params", f"{spec.params:,}") if spec.params else "unstated"
    yield "licence", _noted(spec, "licence", spec.licence or "unstated")
    yield "source", spec.source


def _input(spec: BackboneSpec) -> Iterator[Line]:
    seen = spec.input
    yield "input", _seen_text(seen) if isinstance(seen, TextInput) else _seen_picture(spec, seen)
    if isinstance(seen, TextInput) and seen.preprocessor:
        yield "  through", ", ".join(seen.preprocessor.handles) or str(seen.preprocessor.path)
    for fact, note in spec.notes.items():
        if fact == "input" or fact.startswith("input."):
            yield f"  {fact.removeprefix('input').lstrip('.') or 'note'}", note


def _seen_text(seen: TextInput) -> str:
    if not seen.preprocessor:
        return "text"
    return "text through a preprocessor" + (f", cut or filled to {seen.length} tokens" if seen.length else "")


def _seen_picture(spec: BackboneSpec, seen: ImageInput) -> str:
    said = "range {:g}..{:g}".format(*seen.range) if seen.range else "range unstated by its publisher"
    size = "image, size unstated" if "input.size" in spec.unstated else input_in_short(spec)
    parts = [size, seen.dtype, seen.channels, said]
    parts += [f"mean {list(seen.mean)}"] if seen.mean else []
    parts += [f"std {list(seen.std)}"] if seen.std else []
    if seen.size:
        cut = f" {seen.crop:g}" if seen.resize == "crop" else ""
        unsaid = " (unstated: the zoo's default)" if "input.resize" in spec.unstated else ""
        parts.append(f"resize {seen.resize}{cut} {seen.interpolation}{unsaid}")
    parts += [f"batch {seen.batch} only"] if seen.batch else []
    return ", ".join(parts)


def _output(spec: BackboneSpec, output: str) -> Iterator[Line]:
    from zoo import weights

    facts = spec.outputs[output]
    yield output, _meaning(spec, output, facts)
    own = f"outputs.{output}"
    for fact, note in spec.notes.items():
        if fact == own or fact.startswith(f"{own}."):
            yield f"  {fact.removeprefix(own).removeprefix('.weights').lstrip('.') or 'note'}", note
    if facts.returns:
        yield "  returns", ", ".join(facts.returns)
    yield "  source", facts.source
    for place in (facts.weights.path, *facts.weights.handles):
        yield "  weights", place or ""
    if f"{own}.weights.kaggle" in spec.unstated:
        yield "  kaggle", "unstated"
    yield "  at hand", str(weights.at_hand(facts.weights) or "no")


def _meaning(spec: BackboneSpec, output: str, facts: OutputSpec) -> str:
    labels = facts.labels if isinstance(facts.labels, str | None) else f"{len(facts.labels)} own labels"
    said = {"width": facts.width, "labels": labels}
    parts = [f"{name} {value}" for name, value in said.items() if value]
    parts += [f"{name} unstated" for name, value in said.items() if f"outputs.{output}.{name}" in spec.unstated]
    parts += [facts.activation] if facts.activation != "none" else []
    if output == "boxes":
        parts.append(f"boxes {facts.boxes}" + (" (unstated)" if "outputs.boxes.boxes" in spec.unstated else ""))
    if facts.fine_tunable is not None:
        parts.append("fine-tunable" if facts.fine_tunable else "not fine-tunable")
    return ", ".join(parts)


def _figure(figure: Published) -> str:
    said = f"{figure.metric} {figure.value:g} on {figure.dataset} {figure.split} ({figure.source})"
    return f"{said}: {figure.note}" if figure.note else said


def _noted(spec: BackboneSpec, fact: str, value: str) -> str:
    return f"{value} ({spec.notes[fact]})" if fact in spec.notes else value
