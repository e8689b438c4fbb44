"""`python -m zoo_tfhub.catalogue HUB_HANDLES.csv PUBLISHED_METRICS.csv`: the catalogue, made anew from the tables."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo_tfhub import CATALOGUE
from zoo_tfhub.catalogue.assembly import catalogue, read, text
from zoo_tfhub.catalogue.overrides import Overrides


def main() -> None:
    """Write the catalogue beside the package, or elsewhere."""
    parser = argparse.ArgumentParser(prog="python -m zoo_tfhub.catalogue", description=__doc__)
    parser.add_argument("pages", type=Path, metavar="HUB_HANDLES.csv")
    parser.add_argument("figures", type=Path, metavar="PUBLISHED_METRICS.csv")
    parser.add_argument("--out", type=Path, default=CATALOGUE)
    arguments = parser.parse_args()
    rows = catalogue(read(arguments.pages), read(arguments.figures), Overrides())
    arguments.out.write_text(text(rows), encoding="utf-8")
    modules = sum(len(row["outputs"]) + len(row.get("companions", ())) for row in rows)
    print(f"{len(rows)} networks of {modules} modules in {arguments.out}")


if __name__ == "__main__":
    main()
