"""`zoo inspect` and `zoo add`: weights that no catalogue knows become a row of the user's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from zoo.cli import trust_option, zoo
from zoo.cli.running import parse_range
from zoo.errors import DuplicateNameError, OptionError, reason

MOST = 16  # pictures that a probe takes
ANSWERS = (
    click.option("--output", type=click.Choice(["logits", "features"]), help="What it offers, where nothing tells."),
    click.option("--labels", help="The label space of its classes, or a file with one name a line, in their order."),
    click.option("--input-range", metavar="LOW,HIGH", callback=parse_range, help="What black and white become."),
    click.option("--preprocessor", metavar="PATH|HANDLE", help="The text preprocessor that its page names."),
    click.option("--probe", "probed", is_flag=True, help="Load it and run it on real inputs: width, range, boxes."),
    click.option(
        "--pictures",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Photographs of different things to probe with, in place of two samples: eight tell more.",
    ),
    trust_option,
)


def answers(command: Any) -> Any:
    """The options of both commands: what no file tells."""
    for option in reversed(ANSWERS):
        command = option(command)
    return command


@zoo.command("inspect")
@click.argument("place", metavar="PATH|HANDLE")
@answers
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def inspect_command(place: str, as_json: bool, **asked: Any) -> None:
    """Tell what a SavedModel takes and gives, and propose its row for a catalogue; nothing is written.

    PATH is a folder; HANDLE an address of tfhub.dev or Kaggle, which is fetched. Each fact comes with how it is
    known: from the file, probed, assumed, or asked of you. TensorFlow is imported for --probe alone.
    """
    from zoo.catalog import row_text

    found = _inspected(place, **asked)
    row = {"name": _name(place), **found.row}
    found.spec(row["name"])  # which tells what does not fit
    if as_json:
        facts = [{"fact": fact, "value": value, "basis": basis} for fact, value, basis in found.facts]
        click.echo(json.dumps({"facts": facts, "row": row}, indent=1))
        return
    for fact, value, basis in found.facts:
        click.echo(f"{fact:<16} {value}  [{basis}]")
    click.echo(f"\n{row_text(row)}", nl=False)


@zoo.command("add")
@click.argument("name")
@click.argument("place", metavar="PATH|HANDLE")
@answers
@click.option("--catalogue", type=click.Path(dir_okay=False, path_type=Path), help="Which file; else your own one.")
def add_command(name: str, place: str, catalogue: Path | None, **asked: Any) -> None:
    """Write the row that 'zoo inspect PATH|HANDLE' proposes into your own catalogue, under NAME.

    'zoo list', 'zoo predict TASK/NAME' and all others then know it; 'zoo show NAME' says where the row lies.
    """
    from zoo.catalog import add_row, config_folder
    from zoo.plugins import installed

    plugins = installed()
    if name in plugins.backbones:
        owner = plugins.backbones.owner(plugins.backbones.get(name).name)
        raise DuplicateNameError(f"there is a backbone {name!r} already, of {owner!r}; choose another name")
    file = (catalogue or config_folder() / "own.toml").absolute()
    found = _inspected(place, **asked)
    added = add_row(file, {"name": name, **found.row})
    click.echo(f"{added.name} is row {_count(file)} of {file}")
    if "input.range" in added.unstated:
        click.echo("the range of its input is unstated: the first use probes it, or says what it assumes", err=True)
    if catalogue and file not in _known_files():
        click.echo(f"set ZOO_CATALOG={file} for the zoo to read it", err=True)


def _inspected(place: str, probed: bool, pictures: Path | None, **asked: Any) -> Any:
    from zoo.inspection import inspect_saved_model, place_of
    from zoo.pictures import ENDINGS
    from zoo.probing import probe
    from zoo.weights import fetch

    weights = place_of(place)
    path = fetch(weights, wanted_by=f"{place!r}")
    labels = _labels(asked.pop("labels"))
    before = asked.pop("preprocessor")
    told = place_of(before).model_dump(exclude_none=True) if before else None
    found = inspect_saved_model(path, weights.model_dump(exclude_none=True), labels=labels, preprocessor=told, **asked)
    if probed or pictures:
        files = sorted(file for file in pictures.iterdir() if file.suffix.lower() in ENDINGS) if pictures else None
        if files is not None and len(files) < 2:
            raise OptionError(f"{str(pictures)!r} holds {len(files)} pictures; a probe needs two or more")
        probe(found, files and files[:: -(-len(files) // MOST)])
    return found


def _labels(asked: str | None) -> str | list[str] | None:
    """The name of a label space, or the lines of a file."""
    if not asked or not Path(asked).is_file():
        return asked
    try:
        lines = Path(asked).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(
            f"the labels {asked!r} can't be read: {reason(error)}; write one name a line, in UTF-8"
        ) from error
    return [line.strip() for line in lines if line.strip()]


def _name(place: str) -> str:
    """A name from the last words of a path or handle that are no version."""
    words = [word for word in place.rstrip("/").split("/") if word and not word.isdigit()]
    name = "".join(letter if letter.isalnum() or letter in "_.-" else "_" for letter in words[-1]) if words else ""
    return name.lstrip("_.-") or "my_network"


def _count(file: Path) -> int:
    from zoo.catalog import read_catalog

    return len(read_catalog(file))


def _known_files() -> list[Path]:
    from zoo.catalog import user_catalogs

    return [path.absolute() for path in user_catalogs()]
