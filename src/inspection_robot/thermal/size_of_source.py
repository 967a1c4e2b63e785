"""Size-of-source effect: a small face reads low, because the optics mix in what is around it.

The loss is a fraction of the contrast between face and surroundings that grows as the face covers fewer pixels. A
Lepton (57° over 160 px) loses 1.1 K of 12 K on a face 14 px wide and 2.1 K where it is 5.25 px wide (1.5 m and 4 m): a
power law through both points.
"""

from __future__ import annotations

from dataclasses import dataclass

_LOSS_AT = 1.1 / 12.0
_WIDTH_AT = 14.0
_EXPONENT = 0.655
RELATIVE_UNCERTAINTY = 0.35
"""Of the correction: the contrast differs over the surroundings, and lenses differ."""

SMALLEST_WIDTH_PX = 20.0
"""Below this the correction and its uncertainty (0.9 ± 0.3 K) exceed the tolerance of screening: no reading."""


@dataclass(frozen=True)
class SizeCorrection:
    """What to add to a site's temperature, and its standard uncertainty [K]."""

    correction_c: float
    standard_uncertainty_c: float


def loss_fraction(face_width_px: float) -> float:
    """Fraction of the contrast that is lost on a face of a width [px] on the sensor's own pixels."""
    return min(_LOSS_AT * float((_WIDTH_AT / max(face_width_px, 1.0)) ** _EXPONENT), 0.5)


def correct(site_celsius: float, surroundings_celsius: float, face_width_px: float) -> SizeCorrection:
    """Correction of a site on a face of ``face_width_px`` before surroundings of a temperature [°C, px]."""
    fraction = loss_fraction(face_width_px)
    contrast = max(site_celsius - surroundings_celsius, 0.0)
    correction = contrast * fraction / (1.0 - fraction)
    return SizeCorrection(correction, RELATIVE_UNCERTAINTY * correction)
