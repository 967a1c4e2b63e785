"""Read blurred, dim or glossy EAN-13, UPC-A and UPC-E symbols from intensity profiles.

A decoder that thresholds bars first fails when a bar is narrower than the blur. Here every digit's seven modules are
compared as a whole with the blurred shapes of the ten digits, over several scan lines, and the digits are chosen
together so that the parity pattern and the check digit hold (GS1 General Specifications 5.2.1; the idea of decoding
by maximum likelihood over templates follows Gallo and Manduchi, "Reading 1D barcodes with mobile phones using
deformable templates", 2011). A reading is given only when its likelihood stands clear of every other valid number.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, minimum_filter1d, uniform_filter1d

from inspection_robot.documents.images import Gray
from inspection_robot.documents.stripes import Profiles, StripeRegion, cut_profiles, find_stripes

Scores = NDArray[np.float64]

ODD = ("0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011")
RIGHT = tuple("".join("10"[int(module)] for module in digit) for digit in ODD)
EVEN = tuple(digit[::-1] for digit in RIGHT)
FIRST_DIGIT_PARITY = (
    "OOOOOO", "OOEOEE", "OOEEOE", "OOEEEO", "OEOOEE", "OEEOOE", "OEEEOO", "OEOEOE", "OEOEEO", "OEEOEO",
)  # fmt: skip
CHECK_DIGIT_PARITY = (
    "EEEOOO", "EEOEOO", "EEOOEO", "EEOOOE", "EOEEOO", "EOOEEO", "EOOOEE", "EOEOEO", "EOEOOE", "EOOEOE",
)  # fmt: skip
VARIANTS = ((0.35, 0.0), (0.6, 0.0), (0.9, 0.0), (0.35, 0.25), (0.35, -0.25))
"""Blur and bar growth of the templates, modules."""
PER_MODULE = 5
SHIFTS = np.linspace(-0.4, 0.4, 5)
PLACEMENTS = 24
PROMISING = 3.6
"""Mean log-likelihood of a digit below which a profile is no retail code (a correlation of 0.80)."""
MARGIN = 0.16
MINIMUM_CORRELATION = 0.9
MINIMUM_LEAD = {"EAN-13": 2.7, "UPC-E": 5.0}
WITNESS_CORRELATION, WITNESS_LEAD = 0.8, 0.3


@dataclass(frozen=True)
class RetailReading:
    """A number read from a profile.

    Attributes:
        format: `EAN-13` (UPC-A is one that begins with 0) or `UPC-E`.
        text: 13 digits; UPC-E is expanded.
        correlation: mean correlation of the digits with their templates, 0..1.
        lead: distance in log-likelihood, a scan line, from the best other valid number.
        region: where it stands.
    """

    format: str
    text: str
    correlation: float
    lead: float
    region: StripeRegion


@dataclass(frozen=True)
class Layout:
    """Where guards and digits of a symbology lie, in modules from the start of its first bar."""

    name: str
    modules: int
    guards: tuple[tuple[int, str], ...]
    digits: tuple[tuple[int, str], ...]

    @property
    def known(self) -> Scores:
        """(n, 2): offset and darkness (0 or 1) of the modules that are the same in every number."""
        guards = [(begin + i, int(module)) for begin, modules in self.guards for i, module in enumerate(modules)]
        edges = [(begin + i, int((where == "left") == (i == 6))) for begin, where in self.digits for i in (0, 6)]
        return np.array(guards + edges, np.float64)


EAN13 = Layout(
    "EAN-13",
    95,
    ((-5, "00000101"), (45, "01010"), (92, "10100000")),
    tuple((3 + 7 * i, "left") for i in range(6)) + tuple((50 + 7 * i, "right") for i in range(6)),
)
UPCE = Layout("UPC-E", 51, ((-5, "00000101"), (45, "01010100000")), tuple((3 + 7 * i, "left") for i in range(6)))


def read_retail(picture: Gray) -> list[RetailReading]:
    """Read every EAN-13, UPC-A or UPC-E that stands clear in the picture."""
    readings: list[RetailReading] = []
    for region in find_stripes(picture):
        if region.length < 60 or region.height < 8:
            continue
        attempts = (_read_region(picture, region, layout) for layout in (EAN13, UPCE))
        found = [reading for reading in attempts if reading is not None and stands_clear(reading)]
        if found:
            readings.append(max(found, key=lambda reading: reading.lead * reading.correlation))
    return readings


def stands_clear(reading: RetailReading) -> bool:
    """Whether a reading may be believed on its own."""
    return reading.correlation >= MINIMUM_CORRELATION and reading.lead >= MINIMUM_LEAD[reading.format]


def confirms(picture: Gray, corners: NDArray[np.float32], text: str) -> bool:
    """Whether the profile at a place reads the same number as somebody else read there.

    Args:
        picture: (rows, columns) uint8.
        corners: (4, 2), clockwise from the upper left of the bars, pixels.
        text: 13 digits.
    """
    start, end = corners[[0, 3]].mean(axis=0), corners[[1, 2]].mean(axis=0)
    length = float(np.linalg.norm(end - start))
    if length < 40:
        return False
    height = float(np.linalg.norm(corners[3] - corners[0]) + np.linalg.norm(corners[2] - corners[1])) / 2
    region = StripeRegion((start + end) / 2.0, (end - start) / length, length, max(6.0, height))
    for layout in (EAN13, UPCE):
        reading = _read_region(picture, region, layout)
        if reading is not None and reading.text == text:
            return reading.correlation >= WITNESS_CORRELATION and reading.lead >= WITNESS_LEAD
    return False


def check_digit(digits: str) -> int:
    """GS1 modulo-10 check digit of the digits before it, weights 3 and 1 from the right."""
    return -sum(int(digit) * (3, 1)[i % 2] for i, digit in enumerate(reversed(digits))) % 10


def expand_upce(system: int, six: str) -> str:
    """First twelve digits (number system and zero-suppressed digits expanded) of UPC-E as EAN-13, without check."""
    last = six[5]
    if last in "012":
        body = f"{six[:2]}{last}0000{six[2:5]}"
    elif last == "3":
        body = f"{six[:3]}00000{six[3:5]}"
    elif last == "4":
        body = f"{six[:4]}00000{six[4]}"
    else:
        body = f"{six[:5]}0000{last}"
    return f"0{system}{body}"


def _read_region(picture: Gray, region: StripeRegion, layout: Layout) -> RetailReading | None:
    samples = round((1 + 2 * MARGIN) * layout.modules * PER_MODULE)
    profile = _straightened(cut_profiles(picture, region, samples, MARGIN))
    ranked: list[tuple[float, float, str]] = []
    for way in (profile, profile[::-1]):
        ranked += _read_profile(np.ascontiguousarray(way), layout)
    if not ranked:
        return None
    score, correlation, text = max(ranked)
    rivals = [rival for rival, _, other in ranked if other != text]
    return RetailReading(layout.name, text, correlation, score - max(rivals, default=0.0), region)


def _straightened(profiles: Profiles) -> NDArray[np.float64]:
    """Average of the scan lines, each moved to fit the middle ones: (bands, samples) → (samples,).

    Lines that fit badly (glare, print) are left out.
    """
    lines = profiles - uniform_filter1d(profiles, 9 * PER_MODULE, axis=1, mode="nearest")
    lines = lines / (lines.std(axis=1, keepdims=True) + 1.0)
    middle = len(lines) // 2
    reference = lines[middle - 1 : middle + 1].mean(axis=0)
    moves = np.arange(-2 * PER_MODULE, 2 * PER_MODULE + 1)
    for _ in range(2):
        moved = np.stack([np.roll(lines, move, axis=1) for move in moves])  # (moves, bands, samples)
        fit = (moved * reference).mean(axis=2) / (reference.std() + 1e-6)
        best = fit.argmax(axis=0)
        chosen = moved[best, np.arange(len(lines))]
        reference = chosen[fit.max(axis=0) >= fit.max() - 0.15].mean(axis=0)
    return np.asarray(reference, np.float64)


def _read_profile(profile: NDArray[np.float64], layout: Layout) -> list[tuple[float, float, str]]:
    """The likeliest valid numbers of one profile: (log-likelihood, correlation of the digits, text)."""
    starts, widths = _placements(profile, layout)
    correlation = _digit_correlations(profile, starts, widths, layout)  # (variants, placements, digits, 20)
    likelihood = -3.5 * np.log1p(-np.square(np.clip(correlation, 0.0, 0.995)))
    variant = likelihood.max(axis=3).sum(axis=2).argmax(axis=0)
    if float(likelihood.max(axis=3).mean(axis=2).max()) < PROMISING:
        return []
    cells = likelihood[variant, np.arange(len(starts))]
    guards = _guard_likelihood(profile, starts, widths, layout)
    numbers = _ean13_numbers(cells) if layout is EAN13 else _upce_numbers(cells)
    found = []
    for placement, score, text in numbers:
        mean = float(np.sqrt(-np.expm1(-score / len(layout.digits) / 3.5)))
        found.append((score + float(guards[placement]), mean, text))
    return found


def _placements(profile: NDArray[np.float64], layout: Layout) -> tuple[Scores, Scores]:
    """Start and module width in samples of the placements that fit best.

    The guards are known, and so are the first and last module of every digit: light … dark in the left half,
    dark … light in the right half, whatever the digit.
    """
    samples = len(profile)
    nominal = samples / (1 + 2 * MARGIN)
    slack = np.arange(-0.14, 0.1401, 0.005) * nominal
    start, end = (grid.ravel() for grid in np.meshgrid(slack, slack))
    start, end = start + MARGIN * nominal, end + (1 + MARGIN) * nominal
    width = (end - start) / layout.modules
    points = start[:, None] + width[:, None] * (layout.known[:, 0] + 0.5)[None, :]
    contrast = np.sqrt(np.maximum(uniform_filter1d(profile**2, 15 * PER_MODULE, mode="nearest"), 0.0))
    dark = (-profile / (contrast + 0.05))[np.clip(points.astype(np.int64), 0, samples - 1)]
    fit = dark @ (2.0 * layout.known[:, 1] - 1.0)
    top = np.argsort(-fit)[:PLACEMENTS]
    return start[top], width[top]


def _guard_likelihood(profile: NDArray[np.float64], starts: Scores, widths: Scores, layout: Layout) -> Scores:
    """Log-likelihood of the guards at each placement, (placements,)."""
    total = np.zeros(len(starts))
    for begin, modules in layout.guards:
        inner = begin + (np.arange(len(modules) * PER_MODULE) + 0.5) / PER_MODULE
        dark = -_interpolate(profile, starts[:, None] + widths[:, None] * inner[None, :])
        shape = np.repeat([float(module) for module in modules], PER_MODULE)
        shape = np.convolve(np.pad(shape, PER_MODULE, mode="edge"), np.ones(PER_MODULE) / PER_MODULE, "same")
        correlation = np.clip(_correlate(dark, shape[None, PER_MODULE:-PER_MODULE])[:, 0], 0.0, 0.995)
        total -= 0.5 * len(modules) * np.log1p(-np.square(correlation))
    return total


def _digit_correlations(profile: NDArray[np.float64], starts: Scores, widths: Scores, layout: Layout) -> Scores:
    """Correlation of each digit cell with its templates, best over small shifts: (variants, placements, digits, 20)."""
    begin = np.array([begin for begin, _ in layout.digits], np.float64)
    inner = (np.arange(7 * PER_MODULE) + 0.5) / PER_MODULE
    offsets = begin[:, None, None] + SHIFTS[None, :, None] + inner[None, None, :]  # (digits, shifts, points)
    dark = -_interpolate(profile, starts[:, None, None, None] + widths[:, None, None, None] * offsets)
    result = np.full((len(VARIANTS), len(starts), len(begin), 20), -1.0)
    for side in ("left", "right"):
        cells = [i for i, (_, where) in enumerate(layout.digits) if where == side]
        if cells:
            templates = np.concatenate([_templates(side, *variant) for variant in VARIANTS])
            found = _correlate(dark[:, cells], templates).max(axis=2)
            shapes = templates.shape[0] // len(VARIANTS)
            parted = found.reshape(*found.shape[:-1], len(VARIANTS), shapes)
            result[:, :, cells, :shapes] = np.moveaxis(parted, -2, 0)
    return result


@cache
def _templates(side: str, blur: float, growth: float) -> Scores:
    """Shapes of the digits, (20 or 10, 7 · PER_MODULE): odd then even parity, or the right-hand set.

    Args:
        side: `left` or `right` half.
        blur: standard deviation of the camera's blur, modules.
        growth: how much wider than nominal a bar is printed, modules.
    """
    shapes = [*ODD, *EVEN] if side == "left" else list(RIGHT)
    before, after = ("01", "0") if side == "left" else ("10", "1")
    fine = 20
    rows = np.array([[float(c) for c in before + shape + after] for shape in shapes])
    printed = np.repeat(rows, fine, axis=1)
    grown = round(abs(growth) * fine)
    if grown:
        moving = maximum_filter1d if growth > 0 else minimum_filter1d
        printed = moving(printed, grown + 1, axis=1, mode="nearest")
    smooth = gaussian_filter1d(printed, blur * fine, axis=1, mode="nearest")
    centres = ((len(before) + (np.arange(7 * PER_MODULE) + 0.5) / PER_MODULE) * fine).astype(np.int64)
    return np.asarray(smooth[:, centres])


def _correlate(values: Scores, templates: Scores) -> Scores:
    """Pearson correlation over the last axis: (..., n) with (templates, n) → (..., templates)."""
    centred = values - values.mean(axis=-1, keepdims=True)
    centred = centred / (np.linalg.norm(centred, axis=-1, keepdims=True) + 0.3)
    shapes = templates - templates.mean(axis=-1, keepdims=True)
    shapes = shapes / (np.linalg.norm(shapes, axis=-1, keepdims=True) + 1e-9)
    return np.asarray(centred @ shapes.T)


def _interpolate(profile: NDArray[np.float64], points: Scores) -> Scores:
    clipped = np.clip(points - 0.5, 0.0, len(profile) - 1.001)
    left = clipped.astype(np.int64)
    part = clipped - left
    return np.asarray(profile[left] * (1.0 - part) + profile[left + 1] * part)


def _ean13_numbers(cells: Scores) -> list[tuple[int, float, str]]:
    """The likeliest number of each placement and the runner-up of the best: (placement, log-likelihood, text).

    Args:
        cells: (placements, 12, 20) log-likelihoods; digits by parity, the right half in the first ten.
    """
    parity = np.array([[kind == "E" for kind in pattern] for pattern in FIRST_DIGIT_PARITY]).astype(np.int64)
    left = cells[:, :6].reshape(len(cells), 6, 2, 10)
    by_first = left[:, np.arange(6)[None, :], parity]  # (placements, 10 first digits, 6, 10)
    right = np.broadcast_to(cells[:, None, 6:, :10], by_first.shape)
    scores = np.concatenate([by_first, right], axis=2)  # (placements, 10, 12, 10)
    # Dynamic programme over the digits; the state is the weighted sum so far, modulo 10.
    state = np.where(np.arange(10)[None, :] == np.arange(10)[:, None], 0.0, -np.inf)
    state = np.broadcast_to(state, (len(cells), 10, 10))
    steps = []
    digits, remainders = np.arange(10), np.arange(10)
    for position in range(12):
        weight = 3 if position % 2 == 0 else 1
        before = (remainders[:, None] - weight * digits[None, :]) % 10  # (remainder, digit)
        options = state[:, :, before] + scores[:, :, position, None, :]
        steps.append(options.argmax(axis=3))
        state = options.max(axis=3)
    final = state[:, :, 0]
    first = final.argmax(axis=1)
    found = [
        (placement, float(final[placement, first[placement]]), _trace(steps, placement, int(first[placement])))
        for placement in range(len(cells))
    ]
    placement, _, text = max(found, key=lambda number: number[1])
    # A rival within the best placement: another first digit, or the two cheapest changes that keep the check digit.
    found += [
        (placement, float(final[placement, other]), _trace(steps, placement, other))
        for other in range(10)
        if other != int(text[0])
    ]
    score, rival = _best_change(scores[placement, int(text[0])], text)
    return [*found, (placement, score, rival)]


def _trace(steps: list[NDArray[np.int64]], placement: int, first: int) -> str:
    remainder, digits = 0, ""
    for position in range(11, -1, -1):
        digit = int(steps[position][placement, first, remainder])
        digits = str(digit) + digits
        remainder = (remainder - (3 if position % 2 == 0 else 1) * digit) % 10
    return f"{first}{digits}"


def _best_change(cells: Scores, text: str) -> tuple[float, str]:
    """Likeliest valid number that differs from `text` in two digits after the first: cells (12, 10)."""
    own = np.array([int(digit) for digit in text[1:]])
    loss = cells - cells[np.arange(12), own][:, None]
    weights = np.array([3, 1] * 6)
    change = (weights[:, None] * (np.arange(10)[None, :] - own[:, None])) % 10  # (12, 10)
    pair = loss[:, :, None, None] + loss[None, None, :, :]
    keeps = (change[:, :, None, None] + change[None, None, :, :]) % 10 == 0
    differs = (change != 0)[:, :, None, None] & (change != 0)[None, None, :, :]
    apart = (np.arange(12)[:, None] < np.arange(12)[None, :])[:, None, :, None]
    pair = np.where(keeps & differs & apart, pair, -np.inf)
    i, a, j, b = np.unravel_index(int(pair.argmax()), pair.shape)
    changed = own.copy()
    changed[i], changed[j] = a, b
    score = float(cells[np.arange(12), own].sum() + pair.max())
    return score, text[0] + "".join(map(str, changed))


def _upce_numbers(cells: Scores) -> list[tuple[int, float, str]]:
    """The likeliest valid numbers of the best placements, (placement, log-likelihood, text of 13 digits).

    Args:
        cells: (placements, 6, 20) log-likelihoods.
    """
    strength = cells.max(axis=2).mean(axis=1)
    order = [placement for placement in np.argsort(-strength)[:2] if strength[placement] > PROMISING]
    return [(int(placement), score, text) for placement in order for score, text in _upce_of(cells[placement])]


def _upce_of(likelihood: Scores) -> list[tuple[float, str]]:
    by_parity = likelihood.reshape(6, 2, 10)
    candidates: list[tuple[float, str]] = []
    for system in (0, 1):
        for check, pattern in enumerate(CHECK_DIGIT_PARITY):
            even = [(kind == "E") != (system == 1) for kind in pattern]
            beam: list[tuple[float, str]] = [(0.0, "")]
            for cell, is_even in zip(by_parity, even, strict=True):
                best = np.argsort(-cell[int(is_even)])[:3]
                beam = sorted(
                    ((score + float(cell[int(is_even), d]), text + str(d)) for score, text in beam for d in best),
                    reverse=True,
                )[:20]
            for score, six in beam:
                body = expand_upce(system, six)
                if check_digit(body) == check:
                    candidates.append((score, body + str(check)))
    return sorted(candidates, reverse=True)[:2]
