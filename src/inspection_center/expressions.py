"""Conditions of rule files: a small language over named facts, evaluated over whole columns.

`age_years >= 20 and flag_list in ['black', 'grey']` — comparisons, `and`, `or`, `not`, `in`, + - * /, and the functions
`known(fact)`, `startswith(fact, 'a', 'b')`, `minimum(a, b)`, `maximum(a, b)`. Nothing else of Python is reachable.

Facts may be unknown. As in Kleene's strong three-valued logic, what an unknown fact cannot change stays known:
`age_years >= 20 or detained` holds for a detained ship of unknown age.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["number", "text", "flag"]
_LONGEST = 500
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}


class ExpressionError(ValueError):
    """An expression that does not fit; the text says why."""


@dataclass(frozen=True)
class Column:
    """A fact of many cases: `values` (n,) of float64, bool or str, and `known` (n,) bool."""

    values: NDArray[Any]
    known: NDArray[np.bool_]


Columns = Mapping[str, Column]
_Part = Callable[[Columns], Column]


@dataclass(frozen=True)
class Expression:
    """A compiled expression: what it yields, which facts it names, and how it is evaluated."""

    text: str
    kind: Kind
    names: frozenset[str]
    evaluate: _Part


def compile_expression(text: str, kinds: Mapping[str, Kind], wanted: Kind = "flag") -> Expression:
    """Compile an expression over facts.

    Args:
        text: the expression.
        kinds: the facts it may name, and what they are.
        wanted: what it must yield; a condition is a "flag".

    Raises:
        ExpressionError: it is no expression of the language, names an unknown fact, or mixes kinds.
    """
    if len(text) > _LONGEST:
        raise ExpressionError(f"longer than {_LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"{text!r} is no expression") from error
    names: set[str] = set()
    kind, part = _Compiler(kinds, names).compile(tree.body)
    if kind != wanted:
        raise ExpressionError(f"{text!r} yields a {kind}, wanted is a {wanted}")
    return Expression(text, kind, frozenset(names), part)


class _Compiler:
    def __init__(self, kinds: Mapping[str, Kind], names: set[str]) -> None:
        self._kinds = kinds
        self._names = names

    def compile(self, node: ast.expr) -> tuple[Kind, _Part]:
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, ast.Name | ast.Attribute):
            name = _dotted(node)
            return self._fact(name)
        if isinstance(node, ast.BoolOp):
            return "flag", _junction([self._wanted(v, "flag") for v in node.values], isinstance(node.op, ast.And))
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
            return "number", _both(
                self._wanted(node.left, "number"), self._wanted(node.right, "number"), _OPERATIONS[type(node.op)]
            )
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        raise ExpressionError(f"{ast.unparse(node)!r} is not part of the language")

    def _wanted(self, node: ast.expr, wanted: Kind) -> _Part:
        kind, part = self.compile(node)
        if kind != wanted:
            raise ExpressionError(f"{ast.unparse(node)!r} is a {kind}, wanted is a {wanted}")
        return part

    def _fact(self, name: str) -> tuple[Kind, _Part]:
        if name not in self._kinds:
            raise ExpressionError(f"there is no {name!r}")
        self._names.add(name)
        return self._kinds[name], lambda columns: columns[name]

    def _constant(self, node: ast.Constant) -> tuple[Kind, _Part]:
        value = node.value
        if isinstance(value, bool):
            kind: Kind = "flag"
        elif isinstance(value, int | float) and abs(value) < 1e300:
            kind, value = "number", float(value)
        elif isinstance(value, str):
            kind = "text"
        else:
            raise ExpressionError(f"{ast.unparse(node)!r} is no number, text, True or False")
        column = Column(np.asarray(value), np.asarray(True))
        return kind, lambda _columns: column

    def _unary(self, node: ast.UnaryOp) -> tuple[Kind, _Part]:
        if isinstance(node.op, ast.Not):
            part = self._wanted(node.operand, "flag")
            return "flag", lambda columns: _not(part(columns))
        if isinstance(node.op, ast.USub):
            part = self._wanted(node.operand, "number")
            return "number", lambda columns: _negative(part(columns))
        raise ExpressionError(f"{ast.unparse(node)!r} is not part of the language")

    def _comparison(self, node: ast.Compare) -> tuple[Kind, _Part]:
        parts: list[_Part] = []
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, ast.In | ast.NotIn):
                part = self._membership(left, right)
                parts.append(part if isinstance(operator, ast.In) else lambda columns, p=part: _not(p(columns)))  # type: ignore[misc]  # binds the loop's value
            elif type(operator) in _COMPARISONS:
                parts.append(self._compare(left, right, type(operator)))
            else:
                raise ExpressionError(f"{ast.unparse(node)!r} is not part of the language")
            left = right
        return "flag", parts[0] if len(parts) == 1 else _junction(parts, True)

    def _compare(self, left: ast.expr, right: ast.expr, operator: type[ast.cmpop]) -> _Part:
        left_kind, left_part = self.compile(left)
        right_kind, right_part = self.compile(right)
        if left_kind != right_kind:
            raise ExpressionError(f"{ast.unparse(left)!r} is a {left_kind}, {ast.unparse(right)!r} is a {right_kind}")
        if left_kind != "number" and operator not in (ast.Eq, ast.NotEq):
            raise ExpressionError(
                f"only numbers are greater or smaller than others, {ast.unparse(left)!r} is a {left_kind}"
            )
        return _both(left_part, right_part, _COMPARISONS[operator])

    def _membership(self, left: ast.expr, right: ast.expr) -> _Part:
        kind, part = self.compile(left)
        if not isinstance(right, ast.List | ast.Tuple) or not right.elts:
            raise ExpressionError("after `in` stands a list with at least one value")
        return _any_of(part, [self._literal(item, kind) for item in right.elts])

    def _literal(self, node: ast.expr, wanted: Kind) -> Any:
        value = node.value if isinstance(node, ast.Constant) else None
        fits = {"text": str, "number": (int, float), "flag": bool}[wanted]
        if not isinstance(value, fits) or (wanted == "number" and isinstance(value, bool)):  # type: ignore[arg-type]  # a tuple of types
            raise ExpressionError(f"{ast.unparse(node)!r} is no {wanted}")
        return value

    def _call(self, node: ast.Call) -> tuple[Kind, _Part]:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        arguments = node.args
        if node.keywords or not arguments:
            raise ExpressionError(f"{ast.unparse(node)!r} is not part of the language")
        if name == "known" and len(arguments) == 1 and isinstance(arguments[0], ast.Name | ast.Attribute):
            _, part = self._fact(_dotted(arguments[0]))
            return "flag", lambda columns: _known(part(columns))
        if name == "startswith" and len(arguments) >= 2:
            part = self._wanted(arguments[0], "text")
            return "flag", _starts_with(part, [str(self._literal(item, "text")) for item in arguments[1:]])
        if name in ("minimum", "maximum") and len(arguments) == 2:
            operation = np.minimum if name == "minimum" else np.maximum
            return "number", _both(
                self._wanted(arguments[0], "number"), self._wanted(arguments[1], "number"), operation
            )
        raise ExpressionError(f"{ast.unparse(node)!r} is not part of the language")


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    raise ExpressionError(f"{ast.unparse(node)!r} is not part of the language")


def _both(left: _Part, right: _Part, operation: Callable[[Any, Any], Any]) -> _Part:
    def evaluate(columns: Columns) -> Column:
        a, b = left(columns), right(columns)
        known = a.known & b.known
        with np.errstate(all="ignore"):
            values = operation(a.values, b.values)
        if values.dtype.kind == "f":  # A division by nothing is not known.
            known = known & np.isfinite(values)
        return Column(values, known)

    return evaluate


def _junction(parts: list[_Part], conjunction: bool) -> _Part:
    def evaluate(columns: Columns) -> Column:
        columns_of_parts = [part(columns) for part in parts]
        # What decides alone: a known False in `and`, a known True in `or`.
        deciding: NDArray[np.bool_] = np.asarray(False)
        known: NDArray[np.bool_] = np.asarray(True)
        for column in columns_of_parts:
            deciding = deciding | (column.known & (column.values != conjunction))
            known = known & column.known
        return Column(~deciding if conjunction else deciding, known | deciding)

    return evaluate


def _any_of(part: _Part, wanted: list[Any]) -> _Part:
    def evaluate(columns: Columns) -> Column:
        column = part(columns)
        return Column(np.isin(column.values, wanted), column.known)

    return evaluate


def _starts_with(part: _Part, prefixes: list[str]) -> _Part:
    def evaluate(columns: Columns) -> Column:
        column = part(columns)
        hits = [np.char.startswith(column.values, prefix) for prefix in prefixes]
        return Column(np.logical_or.reduce(hits), column.known)

    return evaluate


def _not(column: Column) -> Column:
    return Column(~column.values, column.known)


def _negative(column: Column) -> Column:
    return Column(-column.values, column.known)


def _known(column: Column) -> Column:
    return Column(column.known, np.asarray(True))
