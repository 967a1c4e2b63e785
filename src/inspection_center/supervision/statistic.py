"""Statistics over a window: rates, typical values and concentrations by group, judged when a span of time is over."""

from __future__ import annotations

from typing import Any

import numpy as np

from inspection_center.supervision import rules, significance
from inspection_center.supervision.columns import Batch, Hashes, Integers, Mask, Numbers, combine, mix, pack, unpack
from inspection_center.supervision.conditions import Match, microseconds

_SAMPLES = 200
"""Values kept of each group and span; which ones is decided by a hash of their numbers, not by their order."""
_FEWEST_GROUPS = 3
"""Nobody is compared with one other person only."""


class _Rows:
    """Counts by span and group; or single values."""

    def __init__(self) -> None:
        self.span: Integers = np.empty(0, np.int64)
        self.first: Hashes = np.empty(0, np.uint64)
        self.second: Hashes = np.empty(0, np.uint64)
        self.whole: Integers = np.empty(0, np.int64)
        self.part: Integers = np.empty(0, np.int64)
        self.value: Numbers = np.empty(0, np.float64)
        self.number: Integers = np.empty(0, np.int64)

    NAMES = ("span", "first", "second", "whole", "part", "value", "number")

    def add(self, *columns: Any) -> None:
        for name, column in zip(self.NAMES, columns, strict=True):
            setattr(self, name, np.concatenate((getattr(self, name), column)))

    def keep(self, kept: Mask | Integers) -> None:
        for name in self.NAMES:
            setattr(self, name, getattr(self, name)[kept])


class StatisticDetector:
    """A group that stands out; see `rules.Statistic`."""

    def __init__(self, rule: str, condition: rules.Statistic) -> None:
        self._rule = rule
        self._condition = condition
        self._every_us = microseconds(condition.every)
        self._spans = round(condition.window / condition.every)
        self._rows = _Rows()
        self._unjudged: Integers = np.empty(0, np.int64)

    def advance(self, batch: Batch, watermark_us: int) -> tuple[list[Match], bool]:
        """See `conditions.Detector`."""
        changed = False
        if batch.has(self._condition.of):
            changed = self._take_in(batch)
        over = (self._unjudged + 1) * self._every_us <= watermark_us
        if not over.any():
            return [], changed
        found = [match for span in self._unjudged[over].tolist() for match in self._judge(span)]
        self._unjudged = self._unjudged[~over]
        self._rows.keep(self._rows.span > watermark_us // self._every_us - self._spans - 1)
        return found, True

    def _take_in(self, batch: Batch) -> bool:
        condition, rows = self._condition, self._rows
        before = len(rows.span)
        for name in condition.of.event:
            columns = batch.of_type(name)
            if columns is None:
                continue
            groups = [columns.text(field) for field in condition.group]
            chosen = columns.mask(condition.of.where) & (combine(groups, len(columns.number)) != 0)
            value = np.zeros(len(chosen))
            if condition.field is not None:
                value = columns.value(condition.field)
                chosen &= ~np.isnan(value)
            count = int(np.count_nonzero(chosen))
            if not count:
                continue
            rows.add(
                columns.counted_us[chosen] // self._every_us,
                groups[0][chosen],
                groups[1][chosen] if len(groups) == 2 else np.zeros(count, np.uint64),
                np.ones(count, np.int64),
                columns.mask(condition.which)[chosen].astype(np.int64),
                value[chosen],
                columns.number[chosen],
            )
        if len(rows.span) == before:
            return False
        self._unjudged = np.union1d(self._unjudged, rows.span[before:])
        self._condense()
        return True

    def _condense(self) -> None:
        """One row a span and group for counts; the chosen sample of values for means."""
        rows = self._rows
        if self._condition.measure == "mean":
            rank = mix(rows.number.astype(np.uint64))
            order = np.lexsort((rank, rows.second, rows.first, rows.span))
            rows.keep(order)
            begins = np.flatnonzero(self._new_group())
            place = np.arange(len(rows.span)) - np.repeat(begins, np.diff(np.append(begins, len(rows.span))))
            rows.keep(place < _SAMPLES)
            return
        rows.keep(np.lexsort((rows.number, rows.second, rows.first, rows.span)))
        begins = np.flatnonzero(self._new_group())
        whole, part = np.add.reduceat(rows.whole, begins), np.add.reduceat(rows.part, begins)
        ends = np.append(begins[1:], len(rows.span)) - 1
        rows.keep(ends)  # The newest event of a group stands for it.
        rows.whole, rows.part = whole, part

    def _new_group(self) -> Mask:
        rows = self._rows
        same = (np.diff(rows.span) == 0) & (rows.first[1:] == rows.first[:-1]) & (rows.second[1:] == rows.second[:-1])
        return np.append(True, ~same)

    def _judge(self, span: int) -> list[Match]:
        rows, condition = self._rows, self._condition
        inside = np.flatnonzero((rows.span > span - self._spans) & (rows.span <= span))
        pairs = np.stack((rows.first[inside], rows.second[inside]), axis=1)
        groups, inverse = np.unique(pairs, axis=0, return_inverse=True)
        inverse = inverse.ravel()
        newest = np.zeros(len(groups), np.int64)
        np.maximum.at(newest, inverse, rows.number[inside])
        whole = np.bincount(inverse, rows.whole[inside], len(groups)).astype(np.int64)
        part = np.bincount(inverse, rows.part[inside], len(groups)).astype(np.int64)
        if condition.measure == "rate":
            told = self._rates(whole, part)
        elif condition.measure == "mean":
            told = self._means(rows.value[inside], inverse, whole)
        else:
            told = self._concentrations(groups, whole)
        end_us = (span + 1) * self._every_us
        window = {"window_start_us": end_us - self._spans * self._every_us, "window_end_us": end_us}
        return [
            Match(
                self._rule,
                f"{span}:{groups[group, 0]:016x}{groups[group, 1]:016x}",
                end_us,
                int(newest[group]),
                facts={**facts, **window},
            )
            for group, facts in told
        ]

    def _rates(self, whole: Integers, part: Integers) -> list[tuple[int, dict[str, Any]]]:
        condition = self._condition
        tested = whole >= condition.minimum
        if condition.limit is not None:
            other = np.full(len(whole), condition.limit)
            chance = significance.rate_against_limit(part, whole, condition.limit, condition.direction)
        else:
            rest = whole.sum() - whole
            tested &= (rest >= condition.minimum) & (len(whole) >= _FEWEST_GROUPS)
            if not tested.any():
                return []
            other = (part.sum() - part) / np.maximum(rest, 1)
            chance = significance.rate_against_peers(part, whole, condition.direction)
        rate = part / whole
        return [
            (group, {"part": int(part[group]), "whole": int(whole[group]), "rate": float(rate[group]),
                     "other": float(other[group]), "chance": float(chance[group])})
            for group in self._standing_out(tested, rate, other, chance)
        ]  # fmt: skip

    def _means(self, value: Numbers, group_of: Integers, whole: Integers) -> list[tuple[int, dict[str, Any]]]:
        condition = self._condition
        tested = whole >= condition.minimum
        if condition.limit is None:
            tested &= (len(value) - whole >= condition.minimum) & (len(whole) >= _FEWEST_GROUPS)
        typical, other, chance = np.zeros(len(whole)), np.zeros(len(whole)), np.ones(len(whole))
        for group in np.flatnonzero(tested).tolist():
            own = value[group_of == group]
            typical[group] = np.median(own)
            if condition.limit is None:
                others = value[group_of != group]
                other[group] = np.median(others)
                chance[group] = significance.values_against_peers(own, others, condition.direction)
            else:
                other[group] = condition.limit
                chance[group] = significance.values_against_limit(own, condition.limit, condition.direction)
        return [
            (group, {"values": int(whole[group]), "typical": float(typical[group]), "other": float(other[group]),
                     "chance": float(chance[group])})
            for group in self._standing_out(tested, typical, other, chance)
        ]  # fmt: skip

    def _concentrations(self, groups: Hashes, whole: Integers) -> list[tuple[int, dict[str, Any]]]:
        """Of the events of the second field's value, the part of the first's: against its part of all other events."""
        _, first = np.unique(groups[:, 0], return_inverse=True)
        _, second = np.unique(groups[:, 1], return_inverse=True)
        of_first, of_second = np.bincount(first, whole)[first], np.bincount(second, whole)[second]
        elsewhere = whole.sum() - of_second
        tested = (of_second >= self._condition.minimum) & (elsewhere >= self._condition.minimum)
        # Laplace's rule of succession keeps who was never elsewhere from an impossible expectation of nothing.
        other = (of_first - whole + 1) / (elsewhere + 2)
        chance = significance.rate_against_limit(whole, of_second.astype(np.int64), other, "above")
        share = whole / of_second
        return [
            (group, {"part": int(whole[group]), "whole": int(of_second[group]), "rate": float(share[group]),
                     "other": float(other[group]), "chance": float(chance[group])})
            for group in self._standing_out(tested, share, other, chance)
        ]  # fmt: skip

    def _standing_out(self, tested: Mask, own: Numbers, other: Numbers, chance: Numbers) -> list[int]:
        condition = self._condition
        small = condition.significance / max(1, int(np.count_nonzero(tested)))
        far = own >= condition.factor * other if condition.direction == "above" else own * condition.factor <= other
        found: list[int] = np.flatnonzero(tested & far & (chance <= small)).tolist()
        return found

    def save(self) -> bytes:
        """See `conditions.Detector`."""
        rows = {name: getattr(self._rows, name) for name in _Rows.NAMES}
        return pack({**rows, "unjudged": self._unjudged})

    def restore(self, content: bytes) -> None:
        """See `conditions.Detector`."""
        arrays = unpack(content)
        self._unjudged = arrays.pop("unjudged").astype(np.int64)
        for name, array in arrays.items():
            setattr(self._rows, name, array)
