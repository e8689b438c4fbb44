"""Sentence classification on AG News: title and description become one vector, four topics are told apart by it.

    python examples/recipes/ag_news_sentences.py [--data ag_news/test.csv] [--weights PATH|tiny]

--data as a CSV file is AG News' own: class number, title, description, without a header; its first 1,000 rows are
learnt from and the next 500 held out. --weights is a SavedModel from texts to vectors of 384, or "tiny" for the encoder
that the zoo carries.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import islice
from typing import Any

from recipe import arguments, backbone, data_of, show

import zoo

NAMES = ("World", "Sports", "Business", "Sci/Tech")
MINILM = "all_minilm_l6_v2_en.kerashub"


def main(argv: Sequence[str] | None = None) -> None:
    chosen = arguments(__doc__, argv, data="tfds:ag_news_subset", epochs=0)
    news = encoder(chosen).fit(**rows(chosen), epochs=chosen.epochs or None)
    show(news, chosen)
    print("'The striker scored twice in the final':", news.predict("The striker scored twice in the final"))


def encoder(chosen: Any) -> Any:
    """MiniLM as it is published, or a module of one's own, which a few facts are enough to describe."""
    if chosen.weights in ("published", "tiny"):
        return backbone(MINILM if chosen.weights == "published" else "tiny_text_m", chosen)
    features = zoo.OutputSpec(width=384, weights=zoo.WeightsSpec(path=chosen.weights))
    spec = zoo.BackboneSpec(
        name="own_encoder", input=zoo.TextInput(), imports=("tensorflow_text",), outputs={"features": features}
    )
    return backbone(spec, chosen)


def rows(chosen: Any) -> dict[str, Any]:
    if not chosen.data.endswith(".csv"):
        return data_of(chosen)
    with open(chosen.data, encoding="utf-8", newline="") as file:
        found = [(f"{title} {about}", int(number) - 1) for number, title, about in islice(csv.reader(file), 1500)]
    learnt, held_out = found[: 2 * len(found) // 3], found[2 * len(found) // 3 :]
    data, validation = (tuple(map(list, zip(*part, strict=True))) for part in (learnt, held_out))
    return {"data": data, "validation": validation, "labels": NAMES}


if __name__ == "__main__":
    main()
