"""Gates that a face must pass before it is read, each with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass

from inspection_robot.thermal.faces import Face
from inspection_robot.thermal.site import SiteReading
from inspection_robot.thermal.size_of_source import SMALLEST_WIDTH_PX

REASONS = (
    "frozen", "ffc", "reference_lost", "reference_implausible", "settling",
    "saturated", "too_far", "few_pixels", "occluded", "turned_away",
    "glasses", "blurred", "unstable",
)  # fmt: skip
"""All reasons, the gravest first: of several that hold, a person is told the first."""


PROFILE = 0.62
"""Width to height of a face's box below which the head is in profile; from the front it is 0.68–0.85 [1]."""
NARROWEST = 0.68
"""Least width to height of a face from the front [1]."""


@dataclass(frozen=True)
class QualitySettings:
    """Limits of the gates.

    Attributes:
        far_px: A face narrower than this is too far to be asked closer in vain [px].
        smallest_px: Narrowest face that is read [px].
        canthi_px: Narrowest face whose canthi are told apart from the rest [px].
        score: Least running mean of a track's scores: below, it may be an arm or a pattern.
        frontal: Least probability that the face looks at the camera [1].
        glasses: Probability above which glasses are assumed [1].
        covered: Probability above which a mask is assumed [1].
        covered_below_c: A mouth that much below the warmest skin lies behind a mask as well: lips do not cool so far,
            cloth does [K].
        speed: Fastest face [face widths/s].
        sharpness: Least sharpness [1/px].
        coldest_c: A face below is no living face, or not skin [°C].
        hottest_c: A face above is no living face [°C].
        least_contrast_c: A face with less contrast in its middle is a heated plate: noses are cooler than eyes [K].
    """

    far_px: float = 11.0
    smallest_px: float = SMALLEST_WIDTH_PX
    canthi_px: float = 24.0
    score: float = 0.36
    frontal: float = 0.5
    glasses: float = 0.6
    covered: float = 0.6
    covered_below_c: float = 3.5
    speed: float = 3.0
    sharpness: float = 0.07
    coldest_c: float = 28.0
    hottest_c: float = 43.5
    least_contrast_c: float = 0.5


def living(site: SiteReading, offset_c: float, settings: QualitySettings) -> bool:
    """Whether a detection has the temperature of living skin, given the camera's offset (NaN: unknown, wide margin)."""
    margin = 0.0 if math.isfinite(offset_c) else 6.0
    face = site.face + (offset_c if math.isfinite(offset_c) else 0.0)
    warm = settings.coldest_c - margin <= face <= settings.hottest_c + margin and site.face - site.surroundings > 1.0
    return warm and site.contrast >= settings.least_contrast_c


def reason_against(
    face: Face,
    site: SiteReading,
    speed: float,
    picture_size: tuple[int, int],
    highest_celsius: float,
    settings: QualitySettings,
) -> str | None:
    """Say why this face cannot be read in this frame, or None.

    Args:
        face: The face.
        site: Its temperatures.
        speed: Of the face [face widths/s].
        picture_size: Height and width [px].
        highest_celsius: Upper end of the camera's range: values there are saturated [°C].
        settings: The limits.
    """
    height, width = picture_size
    if site.face >= highest_celsius:
        return "saturated"
    if face.across < settings.far_px:
        return "too_far"
    if face.across < settings.smallest_px:
        # A head in profile is narrow, not far.
        profile = face.across < PROFILE * face.along and NARROWEST * face.along >= settings.smallest_px
        return "turned_away" if profile else "few_pixels"
    margin = 0.03 * face.across
    if (
        face.x <= margin
        or face.y <= margin
        or face.x + face.width >= width - margin
        or face.y + face.height >= height - margin
    ):
        return "occluded"
    if face.frontal < settings.frontal:
        return "turned_away"
    covered = face.covered > settings.covered or site.face - site.mouth > settings.covered_below_c
    if face.glasses > settings.glasses and covered:
        return "glasses"
    if speed > settings.speed or site.sharpness < settings.sharpness:
        return "blurred"
    return None


def gravest(reasons: dict[str, int]) -> str:
    """The reason to give for a person that was never read: the most frequent; the graver of equals."""
    return min(reasons, key=lambda reason: (-reasons[reason], REASONS.index(reason))) if reasons else "settling"
