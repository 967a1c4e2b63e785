"""From the probabilities of characters to the likeliest zone that the rules of Doc 9303 allow."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from inspection_robot.documents.mrz import Mrz, check_digit, parse_mrz
from inspection_robot.documents.mrz_codes import STATES
from inspection_robot.documents.mrz_formats import ALPHABET, FILLER, Check, MrzFormat

LogProbabilities = NDArray[np.float64]
"""(lines, length, 37) natural logarithms, classes in the order of ALPHABET."""

KNOWN_STATE_BONUS = 3.0
"""How much likelier a known state is than three other letters: natural logarithm of the odds, by judgement."""
MAXIMUM_CHANGE_COST = 9.0
"""No check digit is satisfied at a higher price than this: beyond it the picture says something else."""
LEAD_OF_CHANGE = 1.0
MINIMUM_UNPROTECTED = 0.9
"""A name has no check digit: every character that none covers must be read this clearly for the zone to be certain."""
_INDEX = {character: index for index, character in enumerate(ALPHABET)}


@dataclass(frozen=True)
class ZoneReading:
    """The likeliest zone of one layout.

    Attributes:
        mrz: its text, fields and checks.
        likelihood: mean log-probability of its characters.
        weakest: smallest probability of a character that no check digit covers.
        cost: log-likelihood given up to satisfy the check digits.
        certain: every check holds, what no check covers is read clearly, and the price was low.
    """

    mrz: Mrz
    likelihood: float
    weakest: float
    cost: float
    certain: bool


def read_zone(layout: MrzFormat, scores: LogProbabilities) -> ZoneReading:
    """The likeliest text of a layout given the characters' log-probabilities (lines, length, 37)."""
    scores = scores - np.logaddexp.reduce(scores, axis=2, keepdims=True)
    rows = [list(FILLER * layout.length) for _ in range(layout.lines)]
    for field in layout.fields:
        part = scores[field.line, field.start : field.end]
        if field.name == "names":
            text = _names(part)
        elif field.name in {"issuer", "nationality"}:
            text = _state(part)
        else:
            allowed = [layout.allowed(field.line, column) for column in range(field.start, field.end)]
            text = "".join(max(characters, key=lambda c: part[i, _INDEX[c]]) for i, characters in enumerate(allowed))
        rows[field.line][field.start : field.end] = list(text)
    for check in layout.checks:
        allowed_digits = layout.allowed(check.line, check.column)
        part = scores[check.line, check.column]
        rows[check.line][check.column] = max(allowed_digits, key=lambda c: part[_INDEX[c]])
    lines = tuple("".join(row) for row in rows)
    before = _total(lines, scores)
    best, second = _satisfied(layout, lines, scores)
    mrz = parse_mrz(best)
    after = _total(best, scores)
    cost = before - after
    chosen = np.array([[scores[r, c, _INDEX[best[r][c]]] for c in range(layout.length)] for r in range(layout.lines)])
    protected = layout.protected()
    open_places = [(r, c) for r in range(layout.lines) for c in range(layout.length) if (r, c) not in protected]
    weakest = float(np.exp(min(chosen[place] for place in open_places)))
    certain = (
        mrz.valid
        and cost <= MAXIMUM_CHANGE_COST
        and weakest >= MINIMUM_UNPROTECTED
        and (cost < 0.5 or second is None or after - second >= LEAD_OF_CHANGE)
    )
    return ZoneReading(mrz, float(chosen.mean()), weakest, cost, certain)


def _total(lines: tuple[str, ...], scores: LogProbabilities) -> float:
    return float(
        sum(scores[r, c, _INDEX[character]] for r, line in enumerate(lines) for c, character in enumerate(line))
    )


def _names(part: NDArray[np.float64]) -> str:
    """Likeliest names: words apart by one filler, the two parts by two, then only fillers (Doc 9303-3, 4.6).

    A Viterbi search over: 0 first word letter, 1 one filler, 2 two fillers, 3 letter of the second part, 4 one filler
    within it, 5 trailing fillers.
    """
    letters = part[:, 10:36]
    letter, filler = letters.max(axis=1), part[:, _INDEX[FILLER]]
    moves = {
        0: ((0, 0), (1, 1)),
        1: ((0, 0), (1, 2)),
        2: ((0, 3), (1, 5)),
        3: ((0, 3), (1, 4)),
        4: ((0, 3), (1, 5)),
        5: ((1, 5),),
    }
    count = len(part)
    value = np.full((count, 6), -np.inf)
    back = np.zeros((count, 6), np.int64)
    value[0, 0] = letter[0]
    for position in range(1, count):
        for state, steps in moves.items():
            for is_filler, target in steps:
                score = value[position - 1, state] + (filler if is_filler else letter)[position]
                if score > value[position, target]:
                    value[position, target], back[position, target] = score, state
    state = int(value[-1].argmax())
    text = ""
    for position in range(count - 1, -1, -1):
        text = (ALPHABET[10 + int(letters[position].argmax())] if state in (0, 3) else FILLER) + text
        state = int(back[position, state])
    return text


def _state(part: NDArray[np.float64]) -> str:
    letters = [*range(10, 36), _INDEX[FILLER]]
    free = "".join(ALPHABET[letters[int(part[i, letters].argmax())]] for i in range(3))
    free_score = sum(part[i, _INDEX[c]] for i, c in enumerate(free))
    known = max(STATES, key=lambda code: sum(part[i, _INDEX[c]] for i, c in enumerate(code)))
    known_score = sum(part[i, _INDEX[c]] for i, c in enumerate(known))
    return known if known_score + KNOWN_STATE_BONUS >= free_score else free


@dataclass(frozen=True)
class _Option:
    cost: float
    changes: tuple[tuple[int, int, str], ...]


def _satisfied(
    layout: MrzFormat, lines: tuple[str, ...], scores: LogProbabilities
) -> tuple[tuple[str, ...], float | None]:
    """The likeliest lines that satisfy every check digit, and the log-likelihood of the next ones; else the lines."""
    own = [check for check in layout.checks if check.name != "composite"]
    composite = next((check for check in layout.checks if check.name == "composite"), None)
    choices = [_options(layout, check, lines, scores) for check in own]
    covered = {place for check in own for place in _places(check)}
    if composite is not None:
        rest = [place for place in _places(composite) if place not in covered]
        choices.append(_changes(layout, rest, lines, scores, limit=12))
    ranked: list[tuple[float, tuple[str, ...]]] = []
    for combined in product(*choices):
        cost = sum(option.cost for option in combined)
        if cost > MAXIMUM_CHANGE_COST or (len(ranked) > 1 and cost >= ranked[1][0]):
            continue
        changed = _with(lines, tuple(change for option in combined for change in option.changes))
        if all(parse_mrz(changed).checks.values()):
            ranked = sorted([*ranked, (cost, changed)])[:2]
    if not ranked:
        return lines, None
    total = _total(lines, scores)
    return ranked[0][1], (total - ranked[1][0] if len(ranked) > 1 else None)


def _places(check: Check) -> list[tuple[int, int]]:
    return [*((line, c) for line, start, end in check.over for c in range(start, end)), (check.line, check.column)]


def _options(layout: MrzFormat, check: Check, lines: tuple[str, ...], scores: LogProbabilities) -> list[_Option]:
    """Cheapest ways to make a check hold, the unchanged text first when it does."""
    found = []
    for option in _changes(layout, _places(check), lines, scores, limit=400):
        changed = _with(lines, option.changes)
        span = "".join(changed[line][start:end] for line, start, end in check.over)
        digit = changed[check.line][check.column]
        holds = digit.isdigit() and check_digit(span) == int(digit)
        empty = check.filler_when_empty and digit == FILLER and not span.strip(FILLER)
        long_number = check.name == "document_number" and digit == FILLER
        if holds or empty or long_number:
            found.append(option)
        if len(found) == 4:
            break
    return found


def _changes(
    layout: MrzFormat, places: list[tuple[int, int]], lines: tuple[str, ...], scores: LogProbabilities, limit: int
) -> list[_Option]:
    """No change, single changes and pairs of changes at some places, cheapest first."""
    singles = []
    for row, column in places:
        own = scores[row, column, _INDEX[lines[row][column]]]
        for character in layout.allowed(row, column):
            cost = float(own - scores[row, column, _INDEX[character]])
            if character != lines[row][column] and cost <= MAXIMUM_CHANGE_COST:
                singles.append(_Option(max(cost, 0.0), ((row, column, character),)))
    singles.sort(key=lambda option: option.cost)
    pairs = [
        _Option(one.cost + other.cost, one.changes + other.changes)
        for one, other in combinations(singles[:24], 2)
        if one.changes[0][:2] != other.changes[0][:2] and one.cost + other.cost <= MAXIMUM_CHANGE_COST
    ]
    ordered = sorted(singles + pairs, key=lambda option: option.cost)
    return [_Option(0.0, ()), *ordered[: limit - 1]]


def _with(lines: tuple[str, ...], changes: tuple[tuple[int, int, str], ...]) -> tuple[str, ...]:
    rows = [list(line) for line in lines]
    for row, column, character in changes:
        rows[row][column] = character
    return tuple("".join(row) for row in rows)
