"""Canonical JSON (RFC 8785, JCS): the same value always gives the same bytes, so that a signature can cover it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

_LARGEST_INTEGER = 2**53 - 1
_write_string = json.JSONEncoder(ensure_ascii=False).encode


def canonical_bytes(value: Any) -> bytes:
    """UTF-8 bytes of `value` by RFC 8785.

    Args:
        value: None, bool, int, float, str, and lists, tuples and str-keyed dicts of these.

    Raises:
        ValueError: a number that is not finite or an integer that a double cannot hold (I-JSON, RFC 7493), a key
            that is not a string, a lone surrogate, or any other type.
    """
    try:
        return "".join(_pieces(value)).encode()
    except UnicodeEncodeError as error:
        raise ValueError("a lone surrogate has no UTF-8 form") from error


def _pieces(value: Any) -> Iterator[str]:
    if value is None:
        yield "null"
    elif value is True:
        yield "true"
    elif value is False:
        yield "false"
    elif isinstance(value, str):
        # The escapes of RFC 8785, 3.2.2.2, are those of Python's encoder without ensure_ascii.
        yield _write_string(value)
    elif isinstance(value, int):
        yield str(int(value)) if abs(value) <= _LARGEST_INTEGER else _write_large(value)
    elif isinstance(value, float):
        yield write_number(value)
    elif isinstance(value, dict):
        yield from _object_pieces(value)
    elif isinstance(value, list | tuple):
        yield "["
        for index, item in enumerate(value):
            if index:
                yield ","
            yield from _pieces(item)
        yield "]"
    else:
        raise ValueError(f"{type(value).__name__} has no JSON form")


def _object_pieces(value: dict[Any, Any]) -> Iterator[str]:
    if not all(isinstance(key, str) for key in value):
        raise ValueError("keys must be strings")
    yield "{"
    # Keys order by UTF-16 code units (RFC 8785, 3.2.3), which differs from code points beyond the basic plane.
    for index, key in enumerate(sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))):
        if index:
            yield ","
        yield _write_string(key)
        yield ":"
        yield from _pieces(value[key])
    yield "}"


def _write_large(value: int) -> str:
    # A large double written without fraction reads back as an integer in Python; it is still that double.
    text = str(value) if value.bit_length() < 1024 else ""
    if not text or write_number(float(value)) != text:
        raise ValueError(f"an integer of {value.bit_length()} bits is not how a double is written")
    return text


def write_number(value: float) -> str:
    """A double as ECMAScript writes it (ECMA-262, Number::toString, radix 10)."""
    if not math.isfinite(value):
        raise ValueError(f"{value} has no JSON form")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    # repr gives the shortest digits that read back as the same double, as ECMAScript asks for.
    _, digit_tuple, exponent = Decimal(repr(abs(value))).as_tuple()
    assert isinstance(exponent, int)
    digits = "".join(map(str, digit_tuple)).lstrip("0")
    stripped = digits.rstrip("0")
    exponent += len(digits) - len(stripped)
    count = len(stripped)
    point = count + exponent
    if count <= point <= 21:
        text = stripped + "0" * (point - count)
    elif 0 < point <= 21:
        text = f"{stripped[:point]}.{stripped[point:]}"
    elif -6 < point <= 0:
        text = "0." + "0" * -point + stripped
    else:
        mantissa = stripped if count == 1 else f"{stripped[0]}.{stripped[1:]}"
        text = f"{mantissa}e{point - 1:+d}"
    return sign + text
