"""Pictures that the tests make: codes, zones, and what a camera does to them."""

from __future__ import annotations

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

Gray = NDArray[np.uint8]


def code_picture(text: str, name: str, scale: int = 3) -> Gray:
    """A clean code on white."""
    barcode = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, name))
    picture = np.array(zxingcpp.write_barcode_to_image(barcode, scale=scale, add_quiet_zones=True))
    return np.asarray(cv2.copyMakeBorder(picture, 30, 30, 30, 30, cv2.BORDER_CONSTANT, value=255), np.uint8)


def photographed(
    picture: Gray, blur: float = 0.0, gain: float = 1.0, noise: float = 0.0, turn_deg: float = 0.0
) -> Gray:
    """The picture dimmed, blurred, turned and noisy."""
    height, width = picture.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), turn_deg, 1.0)
    turned = cv2.warpAffine(picture, turn, (width, height), borderValue=255)
    if blur:
        turned = cv2.GaussianBlur(turned, (0, 0), blur)
    grains = np.random.default_rng(1).normal(0, noise, turned.shape)
    return np.clip(turned * gain + grains, 0, 255).astype(np.uint8)
