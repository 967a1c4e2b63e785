"""Does a group stand out? Exact tests on counts, a rank test on values; one-sided, with an effect that matters.

All functions take arrays of shape (groups,) and give the probability of what was seen, or more of it, if the group
were like the other side. They say nothing about why: a case asks, it does not accuse.

scipy.stats takes a second to load: it is loaded when the first group is judged.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from inspection_center.supervision.columns import Integers, Numbers

Direction = Literal["above", "below"]


def rate_against_limit(part: Integers, whole: Integers, limit: float | Numbers, direction: Direction) -> Numbers:
    """Exact binomial test (Clopper and Pearson 1934) of `part` out of `whole` against a rate."""
    from scipy import stats

    tail = stats.binom.sf(part - 1, whole, limit) if direction == "above" else stats.binom.cdf(part, whole, limit)
    return np.asarray(tail, np.float64)


def rate_against_peers(part: Integers, whole: Integers, direction: Direction) -> Numbers:
    """Fisher's exact test (1935) of each group against all others together."""
    from scipy import stats

    everything, successes = int(whole.sum()), int(part.sum())
    if direction == "above":
        tail = stats.hypergeom.sf(part - 1, everything, successes, whole)
    else:
        tail = stats.hypergeom.cdf(part, everything, successes, whole)
    return np.asarray(tail, np.float64)


def values_against_peers(values: Numbers, others: Numbers, direction: Direction) -> float:
    """Mann and Whitney's rank test (1947) of a group's values against the others'; single outliers do not carry it."""
    from scipy import stats

    alternative = "greater" if direction == "above" else "less"
    return float(stats.mannwhitneyu(values, others, alternative=alternative, method="asymptotic").pvalue)


def values_against_limit(values: Numbers, limit: float, direction: Direction) -> float:
    """Sign test (Arbuthnot 1710) of a group's median against a limit."""
    from scipy import stats

    beyond = int(np.count_nonzero(values > limit if direction == "above" else values < limit))
    return float(stats.binom.sf(beyond - 1, len(values), 0.5))


def wilson_interval(part: Integers, whole: Integers) -> tuple[Numbers, Numbers]:
    """95 % interval of a rate (Wilson 1927); NaN without any events."""
    z = 1.959964
    number = np.where(whole > 0, whole, np.nan).astype(np.float64)
    rate = part / number
    centre = (rate + z**2 / (2 * number)) / (1 + z**2 / number)
    half = z / (1 + z**2 / number) * np.sqrt(rate * (1 - rate) / number + z**2 / (4 * number**2))
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)
