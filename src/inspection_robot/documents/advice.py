"""What would help to read a document that was found but not read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from inspection_robot.documents.images import Gray
from inspection_robot.documents.stripes import find_stripes


class Advice(StrEnum):
    """Capture advice (DocumentRead.advice)."""

    NONE = ""
    HOLD_STILL = "hold_still"
    CLOSER = "closer"
    LESS_GLARE = "less_glare"
    TURN = "turn"


@dataclass(frozen=True)
class AdviceThresholds:
    """When which advice is given.

    Attributes:
        sharp: least standard deviation of the Laplacian, relative to the contrast of the region.
        module_px: least width of a bar code's narrowest bar [px], judged from the region's length over 95 modules.
        glare: share of saturated pixels in the region.
        tilt_deg: stripes further from a picture axis than this.
    """

    sharp: float = 0.35
    module_px: float = 1.3
    glare: float = 0.12
    tilt_deg: float = 20.0


def advise(picture: Gray, thresholds: AdviceThresholds | None = None) -> Advice:
    """Advice for a picture in which stripes or lines of print stand but nothing could be read.

    Args:
        picture: (rows, columns) uint8.
        thresholds: when which advice is given.

    Returns:
        The most useful advice; none when there is nothing to read in the picture.
    """
    limits = thresholds or AdviceThresholds()
    regions = find_stripes(picture, limit=1)
    if not regions:
        return Advice.NONE
    region = regions[0]
    corners = region.corners()
    left, upper = np.floor(corners.min(axis=0)).astype(int).clip(0)
    right, lower = np.ceil(corners.max(axis=0)).astype(int)
    patch = picture[upper:lower, left:right]
    if patch.shape[0] < 8 or patch.shape[1] < 24:
        return Advice.CLOSER
    if float((patch >= 250).mean()) > limits.glare and float((patch >= 250).mean()) < 0.9 and _blotched(patch):
        return Advice.LESS_GLARE
    contrast = float(np.percentile(patch, 95) - np.percentile(patch, 5)) + 1.0
    sharpness = float(cv2.Laplacian(patch, cv2.CV_64F).std()) / contrast
    if region.length / 95.0 < limits.module_px:
        return Advice.CLOSER
    if sharpness < limits.sharp:
        return Advice.HOLD_STILL
    angle = abs(float(np.degrees(np.arctan2(region.direction[1], region.direction[0]))))
    if min(angle % 90.0, 90.0 - angle % 90.0) > limits.tilt_deg:
        return Advice.TURN
    return Advice.HOLD_STILL


def _blotched(patch: Gray) -> bool:
    """Whether the saturated pixels hang together as glare does, and are not the white of the paper between bars."""
    saturated = (patch >= 250).astype(np.uint8)
    count, _, statistics, _ = cv2.connectedComponentsWithStats(cv2.erode(saturated, np.ones((9, 9), np.uint8)))
    return count > 1 and float(statistics[1:, cv2.CC_STAT_AREA].max()) > 0.02 * patch.size
