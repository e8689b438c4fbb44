"""Conditions on facts, as people write them: `top1 >= 75 and params < 10e6 and licence = 'apache-2.0'`."""

from __future__ import annotations

import ast
import difflib
import operator
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from zoo.errors import OptionError

Facts = Mapping[str, Any]

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: lambda one, other: _alike(one, other) and one == other,
    ast.NotEq: lambda one, other: _alike(one, other) and one != other,
    ast.In: lambda value, among: value in among,
    ast.NotIn: lambda value, among: value not in among,
}
_EXAMPLE = "top1 >= 75 and params < 10e6 and licence = 'apache-2.0'"
# A single "=" outside quotes means "==".
_SINGLE = re.compile(r"""('[^']*'|"[^"]*")|(?<![<>=!])=(?!=)""")


class Where:
    """A condition that is read once and asked of many.

    It knows comparisons (`<`, `<=`, `=`, `!=`, `in`, `not in`; chained too), `and`, `or`, `not`, brackets, numbers,
    quoted text and lists of them. Text is compared without regard to case. A number of up to 1 beside a fact in
    `percent` is a fraction: `top1 > 0.75` is `top1 > 75`. Raises OptionError for anything else, and for a fact that
    is not `known`.
    """

    def __init__(self, text: str, known: Collection[str], percent: Collection[str] = ()) -> None:
        self.text = text
        self._known = known
        self._percent = percent
        try:
            tree = ast.parse(_SINGLE.sub(lambda found: found[1] or "==", text).strip(), mode="eval")
        except (SyntaxError, ValueError) as error:
            raise self._wrong(f"cannot be read ({error.args[0]})") from error
        self._tree = tree.body
        self.facts = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
        self._check()

    def __call__(self, facts: Facts) -> bool | None:
        """Whether it holds of these facts; None where one that it depends on is missing (None)."""
        return self._holds(self._tree, facts)

    def _check(self) -> None:
        """Refuse what is no condition now, so that it is refused of an empty list too."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Name) and node.id not in self._known:
                raise OptionError(unknown_fact(node.id, self._known))
        self._require_condition(self._tree)

    def _require_condition(self, node: ast.expr) -> None:
        if isinstance(node, ast.BoolOp):
            for part in node.values:
                self._require_condition(part)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self._require_condition(node.operand)
        elif isinstance(node, ast.Compare) and all(type(op) in _COMPARE for op in node.ops):
            for part in (node.left, *node.comparators):
                if not isinstance(part, ast.Name):
                    self._literal(part)
        else:
            raise self._wrong(f"holds {ast.unparse(node)!r}, which is no comparison")

    def _holds(self, node: ast.expr, facts: Facts) -> bool | None:
        if isinstance(node, ast.BoolOp):
            answers = [self._holds(part, facts) for part in node.values]
            decides = isinstance(node.op, ast.Or)  # one True decides an "or", one False an "and"
            return decides if decides in answers else None if None in answers else not decides
        if isinstance(node, ast.UnaryOp):
            answer = self._holds(node.operand, facts)
            return None if answer is None else not answer
        assert isinstance(node, ast.Compare)
        terms = [node.left, *node.comparators]
        values = [facts[term.id] if isinstance(term, ast.Name) else self._literal(term) for term in terms]
        if any(value is None for value in values):
            return None
        in_percent = any(isinstance(term, ast.Name) and term.id in self._percent for term in terms)
        plain = [_comparable(value, term, in_percent) for value, term in zip(values, terms, strict=True)]
        try:
            return all(_COMPARE[type(op)](*plain[i : i + 2]) for i, op in enumerate(node.ops))
        except TypeError:
            kinds = " with ".join(f"{ast.unparse(term)} ({_kind(v)})" for term, v in zip(terms, values, strict=True))
            raise self._wrong(f"cannot compare {kinds}") from None

    def _literal(self, node: ast.expr) -> Any:
        try:
            value = ast.literal_eval(node)
        except ValueError as error:
            raise self._wrong(
                f"holds {ast.unparse(node)!r}, which is neither a fact nor a number, text or list"
            ) from error
        if isinstance(value, int | float | str | list | tuple | set):
            return value
        raise self._wrong(f"holds {ast.unparse(node)!r}, which is neither a fact nor a number, text or list")

    def _wrong(self, why: str) -> OptionError:
        return OptionError(f"the condition {self.text!r} {why}; write for example {_EXAMPLE!r}")


def unknown_fact(name: str, known: Collection[str]) -> str:
    """The message for a fact that is not known, with the nearest one and all of them."""
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    guess = f"; did you mean {near[0]!r}?" if near else ";"
    return f"no fact is called {name!r}{guess} there are {', '.join(known)}"


def _comparable(value: Any, term: ast.expr, in_percent: bool) -> Any:
    """Text without its case, a fraction beside a percentage as a percentage."""
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, list | tuple | set):
        return [_comparable(item, term, in_percent) for item in value]
    if in_percent and not isinstance(term, ast.Name) and 0 < value <= 1:
        return round(value * 100, 6)
    return value


def _alike(one: Any, other: Any) -> bool:
    """Whether two values can be equal at all; raises TypeError where the question is a mistake."""
    for kind in (str, list):
        if isinstance(one, kind) != isinstance(other, kind):
            raise TypeError(f"{one!r} and {other!r} are never equal")
    return True


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    return "a list: use 'in'" if isinstance(value, list | tuple | set) else "a number"
