"""Pictures for people: the count rate around an alarm and its spectrum."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.spectrum import Spectrum

Floats = NDArray[np.float64]
WIDTH: Final = 640
HEIGHT: Final = 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 34, 34
_INK, _GREY, _BLUE, _RED = (40, 40, 40), (190, 190, 190), (180, 90, 20), (40, 40, 200)


def draw_counts(times_s: Floats, rates_cps: Floats, background_cps: float, title: str) -> NDArray[np.uint8]:
    """Draw rates [1/s] over time [s] with the background as a red line; BGR, shape (320, 640, 3)."""
    picture = _sheet(title)
    if len(times_s) < 2:
        return picture
    top = max(float(rates_cps.max()), background_cps, 1.0) * 1.1
    start, span = float(times_s[0]), max(float(times_s[-1] - times_s[0]), 1e-6)
    x = _LEFT + (times_s - start) / span * (WIDTH - _LEFT - _RIGHT)
    y = _level(rates_cps / top)
    cv2.polylines(picture, [np.column_stack([x, y]).astype(np.int32)], False, _BLUE, 2, cv2.LINE_AA)
    if np.isfinite(background_cps):
        line = int(_level(np.array([background_cps / top]))[0])
        cv2.line(picture, (_LEFT, line), (WIDTH - _RIGHT, line), _RED, 1, cv2.LINE_AA)
    _axis(picture, f"{top:.3g} /s", f"{span:.0f} s")
    return picture


def draw_spectrum(spectrum: Spectrum, title: str) -> NDArray[np.uint8]:
    """Draw counts per second and keV over energy, both logarithmic, the background in red; BGR, shape (320, 640, 3)."""
    picture = _sheet(title)
    if len(spectrum.coefficients_kev) < 2:
        return picture
    edges = np.geomspace(20.0, 3000.0, 161)
    foreground = _density(spectrum, edges)
    parts = [(foreground, _BLUE)]
    if spectrum.background is not None and len(spectrum.background.coefficients_kev) >= 2:
        parts.append((_density(spectrum.background, edges), _RED))
    top = float(foreground.max())
    if top <= 0.0:
        return picture
    x = _LEFT + np.linspace(0.0, 1.0, len(edges) - 1) * (WIDTH - _LEFT - _RIGHT)
    for values, colour in parts:
        share = np.clip(np.log10(np.maximum(values, top * 1e-4) / (top * 1e-4)) / 4.0, 0.0, 1.0)
        points = np.column_stack([x, _level(share)]).astype(np.int32)
        cv2.polylines(picture, [points], False, colour, 2, cv2.LINE_AA)
    _axis(picture, f"{top:.2g} /s/keV", "20 ... 3000 keV")
    return picture


def _density(spectrum: Spectrum, edges: Floats) -> Floats:
    cumulative = np.concatenate([[0.0], np.cumsum(spectrum.counts[:-1], dtype=float)])
    own = np.maximum.accumulate(spectrum.edges_kev()[:-1])
    return np.asarray(np.diff(np.interp(edges, own, cumulative)) / np.diff(edges) / spectrum.live_time_s)


def _level(share: Floats) -> Floats:
    return HEIGHT - _BOTTOM - np.clip(share, 0.0, 1.0) * (HEIGHT - _TOP - _BOTTOM)


def _sheet(title: str) -> NDArray[np.uint8]:
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    cv2.rectangle(picture, (_LEFT, _TOP), (WIDTH - _RIGHT, HEIGHT - _BOTTOM), _GREY, 1)
    ascii_title = title.encode("ascii", "replace").decode()  # OpenCV's font has no other characters
    cv2.putText(picture, ascii_title, (_LEFT, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
    return picture


def _axis(picture: NDArray[np.uint8], top: str, span: str) -> None:
    cv2.putText(picture, top, (4, _TOP + 10), cv2.FONT_HERSHEY_SIMPLEX, 0.35, _INK, 1, cv2.LINE_AA)
    place = (WIDTH - _RIGHT - 8 * len(span), HEIGHT - 12)
    cv2.putText(picture, span, place, cv2.FONT_HERSHEY_SIMPLEX, 0.35, _INK, 1, cv2.LINE_AA)
