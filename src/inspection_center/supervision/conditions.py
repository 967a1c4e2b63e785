"""Conditions over the stream of events. Each takes batches in order of time and tells where it was met.

A batch holds all events up to its watermark and none after it, in the order in which they count; an event that came
after its time had been judged counts at the watermark it met, but spans are measured between the times at which
things happened: who works offline and is heard of later has not worked in a burst. What a condition tells does not
depend on how the stream was cut into batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

import numpy as np

from inspection_center.supervision import rules
from inspection_center.supervision.columns import Batch, Integers, Mask, Selected, pack, unpack
from inspection_center.supervision.memory import LATEST_US, Arrays, LatestByKey, PlainEvents, latest_before


@dataclass(frozen=True)
class Match:
    """A risk point was met.

    Attributes:
        rule: its id.
        trigger: identifies this occurrence of the rule for ever.
        time_us: when it was met.
        number: the event a case is about.
        partner: the earlier event that belongs to it, if there is one.
        deadline_us: until when something was expected that did not come.
        facts: numbers behind a statistic.
    """

    rule: str
    trigger: str
    time_us: int
    number: int
    partner: int | None = None
    deadline_us: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)


class Detector(Protocol):
    """One condition with what it remembers."""

    def advance(self, batch: Batch, watermark_us: int) -> tuple[list[Match], bool]:
        """Take in a batch; tells where the condition was met, and whether what it remembers has changed."""

    def save(self) -> bytes:
        """What it remembers."""

    def restore(self, content: bytes) -> None:
        """Take back what `save` gave."""


def microseconds(span: timedelta) -> int:
    """A span in whole microseconds."""
    return round(span / timedelta(microseconds=1))


def matches(rule: str, number: Integers, time_us: Integers, partner: Integers | None = None) -> list[Match]:
    """Matches triggered by one event each; shapes (n,)."""
    partners: Sequence[int | None] = [None] * len(number) if partner is None else partner.tolist()
    return [
        Match(rule, str(event), moment, event, other)
        for event, moment, other in zip(number.tolist(), time_us.tolist(), partners, strict=True)
    ]


class ThresholdDetector:
    """An event meets demands; or so many of them come within a span."""

    def __init__(self, rule: str, condition: rules.Threshold) -> None:
        self._rule = rule
        self._condition = condition
        self._within_us = 0 if condition.within is None else microseconds(condition.within)
        self._recent = PlainEvents()

    def advance(self, batch: Batch, watermark_us: int) -> tuple[list[Match], bool]:
        """See `Detector`."""
        condition = self._condition
        if not batch.has(condition.of):
            return [], False
        found = batch.select(condition.of, condition.key)
        if not len(found.key):
            return [], False
        if condition.times == 1:
            return matches(self._rule, found.number, found.time_us), False
        return self._count(found, watermark_us), True

    def _count(self, found: Selected, watermark_us: int) -> list[Match]:
        back = self._condition.times - 1
        recent = self._recent
        touched = np.isin(recent.key, found.key)
        key = np.concatenate((recent.key[touched], found.key))
        time = np.concatenate((recent.time_us[touched], found.time_us))
        counted = np.concatenate((recent.counted_us[touched], found.counted_us))
        number = np.concatenate((recent.number[touched], found.number))
        fresh = np.arange(len(key)) >= np.count_nonzero(touched)
        order = np.lexsort((number, counted, key))
        key, time, counted, number, fresh = key[order], time[order], counted[order], number[order], fresh[order]
        here, there = np.arange(back, len(key)), np.arange(len(key) - back)
        span = time[here] - time[there]
        if len(here) and (time != counted).any():  # Late events do not come in the order in which they happened.
            runs = np.lib.stride_tricks.sliding_window_view(time, back + 1)
            span = runs.max(axis=1) - runs.min(axis=1)
        met = fresh[here] & (key[here] == key[there]) & (span <= self._within_us)
        at = here[met]
        # The last `times - 1` of each key are all that can still count.
        last = np.searchsorted(key, key, side="right") - np.arange(len(key)) <= back
        recent.keep(~touched)
        recent.add(key[last], time[last], counted[last], number[last])
        recent.keep(recent.counted_us >= watermark_us - self._within_us - LATEST_US)
        told = np.lexsort((number[at], time[at]))
        return matches(self._rule, number[at][told], time[at][told], number[there[met]][told])

    def save(self) -> bytes:
        """See `Detector`."""
        return pack(self._recent.arrays("recent"))

    def restore(self, content: bytes) -> None:
        """See `Detector`."""
        self._recent.restore("recent", unpack(content))


class SequenceDetector:
    """`then` within a span after the latest `first` of the same key."""

    def __init__(self, rule: str, condition: rules.Sequence) -> None:
        self._rule = rule
        self._condition = condition
        self._within_us = microseconds(condition.within)
        self._firsts = LatestByKey(len(condition.different))

    def advance(self, batch: Batch, watermark_us: int) -> tuple[list[Match], bool]:
        """See `Detector`."""
        condition = self._condition
        if not (batch.has(condition.first) or batch.has(condition.then)):
            return [], False
        firsts = batch.select(condition.first, condition.key, condition.different)
        thens = batch.select(condition.then, condition.key, condition.different)
        time, number, extra, known = latest_before(firsts, thens, self._firsts)
        met = known & (thens.time_us >= time) & (thens.time_us - time <= self._within_us)
        # Whoever is unknown on either side differs from nobody.
        met &= ((extra != thens.extra) & (extra != 0) & (thens.extra != 0)).all(axis=1)
        self._firsts.put(firsts, watermark_us - self._within_us)
        return matches(self._rule, thens.number[met], thens.time_us[met], number[met]), bool(len(firsts.key))

    def save(self) -> bytes:
        """See `Detector`."""
        return pack(self._firsts.arrays("first"))

    def restore(self, content: bytes) -> None:
        """See `Detector`."""
        self._firsts.restore("first", unpack(content))


class MissingBeforeDetector:
    """An event that the expected one does not precede within a span."""

    def __init__(self, rule: str, condition: rules.Absence) -> None:
        assert condition.before is not None
        self._rule = rule
        self._condition = condition
        self._later = condition.before
        self._within_us = microseconds(condition.within)
        self._expected = LatestByKey()

    def advance(self, batch: Batch, watermark_us: int) -> tuple[list[Match], bool]:
        """See `Detector`."""
        condition = self._condition
        if not (batch.has(condition.missing) or batch.has(self._later)):
            return [], False
        expected = batch.select(condition.missing, condition.key)
        later = batch.select(self._later, condition.key)
        time, _, _, known = latest_before(expected, later, self._expected)
        met = ~known | (later.time_us - time > self._within_us)
        # What may have been forgotten is held against nobody.
        met &= later.time_us - self._within_us > self._expected.horizon_us
        met &= later.time_us >= later.counted_us - LATEST_US
        self._expected.put(expected, watermark_us - self._within_us)
        return matches(self._rule, later.number[met], later.time_us[met]), bool(len(expected.key))

    def save(self) -> bytes:
        """See `Detector`."""
        return pack(self._expected.arrays("expected"))

    def restore(self, content: bytes) -> None:
        """See `Detector`."""
        self._expected.restore("expected", unpack(content))


class MissingAfterDetector:
    """An event after which the expected one does not come within a span; met when the span is over."""

    def __init__(self, rule: str, condition: rules.Absence) -> None:
        assert condition.after is not None
        self._rule = rule
        self._condition = condition
        self._earlier = condition.after
        self._within_us = microseconds(condition.within)
        self._waiting = PlainEvents()

    def advance(self, batch: Batch, watermark_us: int) -> tuple[list[Match], bool]:
        """See `Detector`."""
        condition, waiting = self._condition, self._waiting
        changed = False
        if batch.has(condition.missing) or batch.has(self._earlier):
            begun = batch.select(self._earlier, condition.key)
            answers = batch.select(condition.missing, condition.key)
            changed = bool(len(begun.key)) or bool(len(answers.key) and len(waiting))
            waiting.add(begun.key, begun.time_us, begun.counted_us, begun.number)
            waiting.keep(~self._answered(answers))
        # After an event that came late its answer may be as late: it is waited for from then on.
        over = waiting.counted_us + self._within_us < watermark_us
        if not over.any():
            return [], changed
        order = np.lexsort((waiting.number[over], waiting.time_us[over]))
        number, time = waiting.number[over][order].tolist(), waiting.time_us[over][order].tolist()
        waiting.keep(~over)
        deadlines = [moment + self._within_us for moment in time]
        found = [
            Match(self._rule, str(event), deadline, event, deadline_us=deadline)
            for event, deadline in zip(number, deadlines, strict=True)
        ]
        return found, True

    def _answered(self, answers: Selected) -> Mask:
        """Which waiting events the answers reach in time, shape (waiting,)."""
        waiting = self._waiting
        answered = np.zeros(len(waiting), np.bool_)
        which = np.flatnonzero(np.isin(waiting.key, answers.key))
        if not len(which):
            return answered
        if answers.late or (waiting.time_us[which] != waiting.counted_us[which]).any():
            answered[which] = [self._has_answer(index, answers) for index in which.tolist()]
            return answered
        key = np.concatenate((waiting.key[which], answers.key))
        time = np.concatenate((waiting.time_us[which], answers.time_us))
        number = np.concatenate((waiting.number[which], answers.number))
        is_answer = np.arange(len(key)) >= len(which)
        # Going back in time, the last answer seen is the next one after each event. An event that is an
        # answer too comes before itself as an answer on this way, so that it does not answer itself.
        order = np.lexsort((~is_answer, number, time, key))[::-1]
        position = np.maximum.accumulate(np.where(is_answer[order], np.arange(len(order)), -1))
        following = order[np.maximum(position, 0)]
        fits = (position >= 0) & ~is_answer[order] & (key[following] == key[order])
        fits &= time[following] - time[order] <= self._within_us
        answered[which[order[fits]]] = True
        return answered

    def _has_answer(self, index: int, answers: Selected) -> bool:
        """The same for one waiting event, when events do not come in the order in which they happened."""
        waiting = self._waiting
        counted, number = waiting.counted_us[index], waiting.number[index]
        follows = (answers.counted_us > counted) | ((answers.counted_us == counted) & (answers.number > number))
        span = answers.time_us - waiting.time_us[index]
        in_time = (span >= 0) & (span <= self._within_us)
        return bool((follows & in_time & (answers.key == waiting.key[index])).any())

    def save(self) -> bytes:
        """See `Detector`."""
        return pack(self._waiting.arrays("waiting"))

    def restore(self, content: bytes) -> None:
        """See `Detector`."""
        self._waiting.restore("waiting", unpack(content))


class FourEyesDetector:
    """Both deeds about the same thing by one person, in either order."""

    def __init__(self, rule: str, condition: rules.FourEyes) -> None:
        self._rule = rule
        self._condition = condition
        self._within_us = microseconds(condition.within)
        self._same_deed = condition.first == condition.second
        self._memories = (LatestByKey(), LatestByKey())

    def advance(self, batch: Batch, watermark_us: int) -> tuple[list[Match], bool]:
        """See `Detector`."""
        condition = self._condition
        if not (batch.has(condition.first) or batch.has(condition.second)):
            return [], False
        deeds = [batch.select(deed, (*condition.key, deed.person)) for deed in (condition.first, condition.second)]
        found: dict[int, Match] = {}
        for earlier, later in ((0, 1),) if self._same_deed else ((0, 1), (1, 0)):
            time, number, _, known = latest_before(deeds[earlier], deeds[later], self._memories[earlier])
            met = known & (np.abs(deeds[later].time_us - time) <= self._within_us)
            for match in matches(self._rule, deeds[later].number[met], deeds[later].time_us[met], number[met]):
                found.setdefault(match.number, match)
        for memory, deed in zip(self._memories, deeds, strict=True):
            memory.put(deed, watermark_us - self._within_us)
        told = sorted(found.values(), key=lambda match: (match.time_us, match.number))
        return told, any(len(deed.key) for deed in deeds)

    def save(self) -> bytes:
        """See `Detector`."""
        first, second = self._memories
        arrays: Arrays = {**first.arrays("first"), **second.arrays("second")}
        return pack(arrays)

    def restore(self, content: bytes) -> None:
        """See `Detector`."""
        arrays = unpack(content)
        for memory, name in zip(self._memories, ("first", "second"), strict=True):
            memory.restore(name, arrays)


def detector(point: rules.RiskPoint) -> Detector:
    """The detector of a risk point, remembering nothing yet."""
    from inspection_center.supervision.statistic import StatisticDetector  # it needs Match from here

    condition = point.condition
    if isinstance(condition, rules.Absence):
        return (MissingAfterDetector if condition.after else MissingBeforeDetector)(point.id, condition)
    makers: dict[type[Any], Callable[[str, Any], Detector]] = {
        rules.Threshold: ThresholdDetector,
        rules.Sequence: SequenceDetector,
        rules.FourEyes: FourEyesDetector,
        rules.Statistic: StatisticDetector,
    }
    return makers[type(condition)](point.id, condition)
