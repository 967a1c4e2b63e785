"""Processor time of the thermal chain with ten faces in view, on pictures of both sizes."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_robot.model_files import find
from inspection_robot.thermal.faces import MODEL_NAME, Face, FaceDetector, grey_from_celsius
from inspection_robot.thermal.frames import ThermalFrame
from inspection_robot.thermal.screening import Screener, ScreeningSettings

_FRAMES, _ROUNDS = 10, 6
_ROOM_C, _SKIN_C, _NOSE_C, _REFERENCE_C = 24.0, 34.5, 32.0, 36.0


def configure(parser: argparse.ArgumentParser) -> None:
    """No arguments: the pictures are drawn."""


class _DrawnFaces(FaceDetector):
    """Runs the model and gives the drawn faces: it was not trained to find ovals, and all ten are to be read."""

    def __init__(self, faces: list[Face]) -> None:
        super().__init__(find(MODEL_NAME))
        self.faces = faces

    def detect(self, grey: NDArray[np.float32]) -> list[Face]:
        super().detect(grey)
        return self.faces


def run(_arguments: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of processor time a frame: the least of some rounds, for the whole chain and for the model alone."""
    cv2.setNumThreads(1)
    return {**_figures(160, 120), **_figures(640, 512)}


def _figures(width: int, height: int) -> dict[str, Any]:
    places = [(width * (0.03 + 0.185 * column), height * row) for row in (0.12, 0.52) for column in range(5)]
    faces = [_face(x, y, width / 8) for x, y in places]
    pictures = [_picture(width, height, faces, seed) for seed in range(6)]
    detector = _DrawnFaces(faces)
    screener, grey = Screener(ScreeningSettings(), detector), grey_from_celsius(pictures[0])
    clock, read = iter(range(100_000)), [0]

    def screen() -> None:
        number = next(clock)
        result = screener.process(ThermalFrame(pictures[number % len(pictures)], number / 9.0))
        read[0] = sum(person.ok for person in result.persons)

    chain_ms = _least_ms(screen)
    model_ms = _least_ms(lambda: detector.detect(grey))
    return {f"ms_{width}": chain_ms, f"model_ms_{width}": model_ms, f"read_{width}": read[0]}


def _least_ms(step: Callable[[], object]) -> float:
    spent = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        for _ in range(_FRAMES):
            step()
        spent.append(1e3 * (time.process_time() - started) / _FRAMES)
    return round(min(spent), 2)


def _face(x: float, y: float, size: float) -> Face:
    centre = np.array([x + size / 2, y + size / 2])
    points = centre + size * np.array([[-0.13, -0.12], [0.13, -0.12], [0.0, 0.25]])
    return Face(x, y, size, size, 0.9, points.astype(np.float32), 0.0, 0.9, 0.1, 0.1)


def _picture(width: int, height: int, faces: list[Face], seed: int) -> NDArray[np.float32]:
    picture = np.random.default_rng(seed).normal(_ROOM_C, 0.05, (height, width)).astype(np.float32)
    for face in faces:
        centre = (round(face.centre[0]), round(face.centre[1]))
        cv2.ellipse(picture, centre, (round(face.width / 2), round(face.height / 2)), 0, 0, 360, _SKIN_C, -1)
        cv2.circle(picture, centre, round(face.width / 8), _NOSE_C, -1)
    cv2.circle(picture, (round(0.94 * width), round(0.94 * height)), round(width / 32), _REFERENCE_C, -1)
    return picture
