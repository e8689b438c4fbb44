"""The page: one HTML file with everything in it, and a policy that forbids any request.

Class names, file names and texts come from a user's data: they reach the page through `escape` alone.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from zoo.transfer.report.drawing import DPI, Drawn
from zoo.transfer.report.shown import Answer


@dataclass(frozen=True)
class Section:
    """A part of the page. body: HTML; lead: a sentence below the heading."""

    title: str
    body: str
    lead: str = ""


def page(title: str, subtitle: str, cards: Sequence[tuple[str, str, str]], sections: Sequence[Section]) -> str:
    """The whole page. cards: (name, figure, what to know about it) of the headline figures."""
    style, script = _read("report.css"), _read("report.js")
    policy = f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; img-src data:"
    items = "".join(
        f"<div class=card><dt>{escape(name)}</dt><dd><b>{escape(value)}</b><small>{escape(note)}</small></dd></div>"
        for name, value, note in cards
    )
    links = "".join(f'<li><a href="#{_anchor(part.title)}">{escape(part.title)}</a></li>' for part in sections)
    # One pass: what is filled in may itself hold something that looks like a gap.
    return Template(_read("report.html")).substitute(
        policy=policy,
        style=style,
        script=script,
        title=escape(title),
        subtitle=escape(subtitle),
        cards=items,
        links=links,
        sections="\n".join(map(_section, sections)),
    )


def _section(part: Section) -> str:
    anchor = _anchor(part.title)
    lead = f"<p class=quiet>{escape(part.lead)}</p>" if part.lead else ""
    heading = f'<h2 id="{anchor}-h">{escape(part.title)}</h2>'
    return f'<section id="{anchor}" aria-labelledby="{anchor}-h">{heading}{lead}{part.body}</section>'


def _anchor(title: str) -> str:
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in title.lower()).split())


def figure(drawn: Drawn) -> str:
    """A figure in the page: its dark version where the reader's system is dark."""
    light, dark = _data(drawn.light, "image/png"), _data(drawn.dark, "image/png")
    width, height = (round(side * 96 / DPI) for side in struct.unpack(">II", drawn.light[16:24]))  # of its header
    # Shrunk below `least` it would be unreadable: then it scrolls.
    least = f' data-least="{drawn.least}"' if drawn.least else ""
    inside = (
        f'<picture><source srcset="{dark}" media="(prefers-color-scheme: dark)">'
        f'<img class=figure src="{light}" alt="{escape(drawn.alt)}" width={width} height={height}{least}></picture>'
    )
    return scrolling(drawn.name, inside) if drawn.least else inside


def scrolling(name: str, inside: str) -> str:
    """A region that scrolls sideways by itself, with keys too, where the screen is too narrow."""
    return f'<div class=scroll tabindex=0 role=region aria-label="{escape(name)}">{inside}</div>'


def table(name: str, heads: Sequence[str], rows: Sequence[Sequence[Any]], *, sortable: bool = False) -> str:
    """A table; the first cell of a row names it. A cell is text, or (text, the value that it is sorted by)."""
    cells = "".join(
        f"<th scope=col><button type=button>{escape(head)}</button></th>"
        if sortable
        else f"<th scope=col>{escape(head)}</th>"
        for head in heads
    )
    body = "".join(f"<tr>{''.join(_cell(cell, not place) for place, cell in enumerate(row))}</tr>" for row in rows)
    kind = " class=sortable" if sortable else ""
    return scrolling(name, f"<table{kind}><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>")


def _cell(cell: Any, first: bool) -> str:
    text, value = cell if isinstance(cell, tuple) else (cell, None)
    tag = "th scope=row" if first else "td"
    key = f' data-value="{value}"' if value is not None else ""
    return f"<{tag}{key}>{escape(str(text))}</{tag.split()[0]}>"


def facts(found: Mapping[str, Any]) -> str:
    """Names and what they are."""
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in found.items())
    return f"<dl class=facts>{rows}</dl>"


def gallery(answers: Sequence[Answer], *, wide: bool = False) -> str:
    """Pictures with their predictions: blue where right, red and crossed where wrong, the truth in brackets.

    wide: whole pictures, large enough for what is written on them; else squares.
    """
    items = []
    for one in answers:
        seen = f'<img src="{_data(one.picture, "image/jpeg")}" alt="">' if one.picture else "<span>no picture</span>"
        items.append(f'<li title="{escape(one.id)}">{seen}<p class={_mark(one)}>{escape(_claim(one))}</p></li>')
    kind = '"gallery wide"' if wide else "gallery"
    return f"<ul class={kind}>{''.join(items)}</ul>"


def shown(kind: str, name: str, answers: Sequence[Answer]) -> str:
    """Examples with their predictions: pictures as a gallery, texts as a table."""
    return gallery(answers) if kind == "image" else texts(name, answers)


def texts(name: str, answers: Sequence[Answer]) -> str:
    """Texts with their predictions, as a table."""
    rows = "".join(
        f"<tr><td class={_mark(one)}>{escape(_claim(one))}</td><td>{escape(one.text or one.id)}</td></tr>"
        for one in answers
    )
    heads = "<thead><tr><th scope=col>prediction (truth)</th><th scope=col>text</th></tr></thead>"
    return scrolling(name, f"<table class=texts>{heads}<tbody>{rows}</tbody></table>")


def _mark(one: Answer) -> str:
    return "right" if one.claim.right else "wrong"


def _claim(one: Answer) -> str:
    # Not by colour alone: a cross stands before what is wrong.
    return f"{'' if one.claim.right else '✗ '}{one.claim.answer} ({one.claim.true})"


def _data(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _digest(text: str) -> str:
    """The content's hash as a page's security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return (files("zoo.transfer.report") / "web" / name).read_text(encoding="utf-8").rstrip("\n")
