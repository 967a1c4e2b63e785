"""Events as columns: numbers, times, and fields as arrays, so that a rule looks at thousands of events at once.

Texts become 64-bit hashes: enough to compare and to join, small enough to remember. A match is confirmed on the texts
themselves before a case is opened.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

from inspection_center.supervision.rules import Selector, Where

Hashes = NDArray[np.uint64]
Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
HOUR_US = 3_600_000_000
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Knuth, TAOCP 3, 6.4 (multiplicative hashing).
_LONGEST = 500
# Odd numbers without a pattern, the same for ever: what is remembered outlives versions of numpy.
_WEIGHTS: Hashes = np.frombuffer(
    hashlib.shake_256(b"inspection supervision").digest(8 * (_LONGEST + 1)), dtype="<u8"
).astype(np.uint64) | np.uint64(1)


class EventRow(NamedTuple):
    """One event as stored; `data` is the JSON text of its fields, `time_us` [µs since 1970] when it happened."""

    number: int
    type: str
    time_us: int
    actor: str
    unit: str
    data: str


def text_hashes(texts: Sequence[str]) -> Hashes:
    """64-bit hashes of texts, shape (n,); an empty text is 0, nothing else is.

    Multilinear hashing over code points (Carter and Wegman 1979) with fixed weights, then mixed: the same in every
    process and on every machine, so that it can be kept.
    """
    if not len(texts):
        return np.empty(0, np.uint64)
    array = np.array(texts, dtype=np.str_)
    width = array.dtype.itemsize // 4
    if width == 0:
        return np.zeros(len(texts), np.uint64)
    points = array.view(np.uint32).reshape(len(texts), width)[:, :_LONGEST]
    sums = points.astype(np.uint64) @ _WEIGHTS[: points.shape[1]]
    lengths = np.char.str_len(array).astype(np.uint64)
    mixed = mix(sums + lengths * _WEIGHTS[_LONGEST])
    return np.where(lengths == 0, np.uint64(0), np.maximum(mixed, np.uint64(1)))


def text_hash(text: str) -> np.uint64:
    """Hash of one text."""
    return np.uint64(text_hashes([text])[0])


def mix(values: Hashes) -> Hashes:
    """Spread the bits of 64-bit values."""
    spread = (values ^ (values >> np.uint64(29))) * _MIX
    return np.asarray(spread ^ (spread >> np.uint64(32)), dtype=np.uint64)


def combine(columns: Sequence[Hashes], length: int) -> Hashes:
    """One key of several columns; 0 where any of them is empty. No columns: every event has the same key."""
    if not columns:
        return np.ones(length, np.uint64)
    key = columns[0].copy()
    whole = key != 0
    for column in columns[1:]:
        whole &= column != 0
        key = mix(key * np.uint64(31) + column)
    return np.where(whole, np.maximum(key, np.uint64(1)), np.uint64(0))


class TypeColumns:
    """The events of one type in a batch, in the batch's order.

    Args:
        kinds: the type's fields.
        rows: the events.
        counted_us: when each counts as having come, shape (n,).
        zone: of the port.
    """

    def __init__(self, kinds: dict[str, str], rows: Sequence[EventRow], counted_us: Integers, zone: ZoneInfo) -> None:
        self.number: Integers = np.fromiter((row.number for row in rows), np.int64, len(rows))
        self.time_us: Integers = np.fromiter((row.time_us for row in rows), np.int64, len(rows))
        self.counted_us = counted_us
        self._kinds = kinds
        self._rows = rows
        self._zone = zone
        self._fields: list[dict[str, object]] | None = None
        self._texts: dict[str, Hashes] = {}
        self._values: dict[str, Numbers] = {}

    def text(self, name: str) -> Hashes:
        """Hashes of a text field, shape (n,); 0 where it is unknown or empty."""
        found = self._texts.get(name)
        if found is None:
            if name == "actor":
                texts = [row.actor for row in self._rows]
            elif name == "unit":
                texts = [row.unit for row in self._rows]
            elif name == "type":
                texts = [row.type for row in self._rows]
            elif name in self._kinds:
                texts = [str(fields.get(name, "")) for fields in self._parsed()]
            else:
                texts = [""] * len(self._rows)
            found = self._texts[name] = text_hashes(texts)
        return found

    def value(self, name: str) -> Numbers:
        """A number or flag (1, 0), shape (n,); NaN where it is unknown."""
        found = self._values.get(name)
        if found is None:
            if name in ("hour", "weekday"):
                local_us = self.time_us + self._offsets_us()
                day, rest = np.divmod(local_us, 24 * HOUR_US)
                found = rest / HOUR_US if name == "hour" else (day + 3) % 7 * 1.0  # 1970-01-01 was a Thursday.
            else:
                values = [fields.get(name) for fields in self._parsed()]
                found = np.array(values, dtype=np.float64)  # None becomes NaN.
            self._values[name] = found
        return found

    def mask(self, demands: Sequence[Where]) -> Mask:
        """Which events meet every demand, shape (n,)."""
        kept = np.ones(len(self.number), np.bool_)
        for demand in demands:
            kept &= self._meets(demand)
        return kept

    def _meets(self, demand: Where) -> Mask:
        name, operator = demand.field, demand.operator
        wanted = getattr(demand, operator)
        met: Mask
        if operator == "over":
            met = self.value(name) > wanted
        elif operator == "at_least":
            met = self.value(name) >= wanted
        elif operator == "below":
            met = self.value(name) < wanted
        elif operator == "at_most":
            met = self.value(name) <= wanted
        elif operator == "outside":
            met = (self.value(name) < wanted[0]) | (self.value(name) >= wanted[1])
        elif operator == "empty":
            met = (self.text(name) == 0) == wanted
        elif operator == "same_as":
            met = (self.text(name) == self.text(wanted)) & (self.text(name) != 0)
        elif operator == "one_of":
            met = np.isin(self.text(name), text_hashes(wanted))
        else:
            met = self.text(name) == text_hash(wanted) if isinstance(wanted, str) else self.value(name) == wanted
            if operator == "differs_from":  # What is unknown differs from nothing.
                known = self.text(name) != 0 if isinstance(wanted, str) else ~np.isnan(self.value(name))
                met = known & ~met
        return met

    def _parsed(self) -> list[dict[str, object]]:
        if self._fields is None:
            joined = f"[{','.join([row.data for row in self._rows])}]"
            self._fields = from_json(joined)
        return self._fields

    def _offsets_us(self) -> Integers:
        """What the zone is ahead of UTC; looked up once an hour, since no zone changes within one."""
        hours, inverse = np.unique(self.time_us // HOUR_US, return_inverse=True)
        offsets = [datetime.fromtimestamp(int(hour) * 3600, UTC).astimezone(self._zone).utcoffset() for hour in hours]
        values = np.array([0 if offset is None else offset.total_seconds() * 1e6 for offset in offsets])
        return np.asarray(values.astype(np.int64)[inverse], dtype=np.int64)


class Selected(NamedTuple):
    """Events that a selector chose, in order of `counted_us` and number; shapes (n,), `extra` (n, extra fields).

    `time_us` is when they happened: spans are measured by it.
    """

    key: Hashes
    time_us: Integers
    counted_us: Integers
    number: Integers
    extra: Hashes

    @property
    def late(self) -> bool:
        """Whether any of them came after its time had been judged."""
        return bool((self.time_us != self.counted_us).any())


class Batch:
    """Events in their final order, grouped by type.

    Args:
        types: catalogue of event types.
        rows: the events; types that the catalogue does not know are passed over.
        counted_us: when each counts as having come, shape (n,): its own time, unless that had been judged before.
        zone: of the port.
    """

    def __init__(
        self, types: dict[str, dict[str, str]], rows: Sequence[EventRow], counted_us: Integers, zone: ZoneInfo
    ) -> None:
        members: dict[str, list[int]] = {}
        for index, row in enumerate(rows):
            members.setdefault(row.type, []).append(index)
        self.length = len(rows)
        self._by_type = {
            name: TypeColumns(types[name], [rows[index] for index in indices], counted_us[np.array(indices)], zone)
            for name, indices in members.items()
            if name in types
        }

    def of_type(self, name: str) -> TypeColumns | None:
        """The events of a type; None when there are none."""
        return self._by_type.get(name)

    def has(self, selector: Selector) -> bool:
        """Whether any event is of the selector's types."""
        return any(name in self._by_type for name in selector.event)

    def select(self, selector: Selector, key: Sequence[str], extra: Sequence[str] = ()) -> Selected:
        """The events a selector chooses that have a whole key, in order."""
        parts = []
        for name in selector.event:
            columns = self._by_type.get(name)
            if columns is None:
                continue
            joined = combine([columns.text(field) for field in key], len(columns.number))
            chosen = np.flatnonzero(columns.mask(selector.where) & (joined != 0))
            extras = [columns.text(field)[chosen] for field in extra]
            parts.append(
                Selected(
                    joined[chosen],
                    columns.time_us[chosen],
                    columns.counted_us[chosen],
                    columns.number[chosen],
                    np.stack(extras, axis=1) if extras else np.empty((len(chosen), 0), np.uint64),
                )
            )
        if len(parts) == 1:
            return parts[0]
        if not parts:
            none = np.empty(0, np.int64)
            return Selected(np.empty(0, np.uint64), none, none, none, np.empty((0, len(extra)), np.uint64))
        keys, times, counted, numbers, texts = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        order = np.lexsort((numbers, counted))
        return Selected(keys[order], times[order], counted[order], numbers[order], texts[order])


def pack(arrays: dict[str, NDArray[np.generic]]) -> bytes:
    """Arrays as bytes, compressed, with names, types and shapes (one line of text before each array's bytes)."""
    pieces = [
        f"{name} {array.dtype.str} {','.join(map(str, array.shape))}\n".encode() + np.ascontiguousarray(array).tobytes()
        for name, array in sorted(arrays.items())
    ]
    return zlib.compress(b"".join(pieces), 1)


def unpack(content: bytes) -> dict[str, NDArray[np.generic]]:
    """Arrays from `pack`."""
    rest = zlib.decompress(content)
    arrays: dict[str, NDArray[np.generic]] = {}
    start = 0
    while start < len(rest):
        end = rest.index(b"\n", start)
        name, kind, shape_text = rest[start:end].decode().split(" ")
        shape = tuple(int(size) for size in shape_text.split(",") if size)
        dtype = np.dtype(kind)
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(rest, dtype, count, end + 1).reshape(shape).copy()
        start = end + 1 + count * dtype.itemsize
    return arrays
