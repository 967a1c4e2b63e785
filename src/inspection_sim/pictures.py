"""Pictures of a run for people: the hall from above, what the thermal camera sees, the map with way and findings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_sim.scoring import Score, score_run
from inspection_sim.simulation import WORLDS, Simulation
from inspection_sim.world.grid import Grid, floor_plan
from inspection_sim.world.sdf import read_world

Picture = NDArray[np.uint8]

PIXELS_PER_M: Final = 16
WALL: Final = (60, 60, 60)
WAY: Final = (200, 120, 30)
PEOPLE: Final = (225, 215, 205)
SUBJECT: Final = (60, 160, 240)
FOUND: Final = (40, 40, 220)
TEXT: Final = (20, 20, 20)
"""Colours are BGR, as OpenCV has them."""


def thermal_view(counts: NDArray[np.uint16], low_c: float = 18.0, high_c: float = 40.0, scale: int = 4) -> Picture:
    """Return a thermal picture (height, width) of 0.01 K in false colours, enlarged, BGR."""
    celsius = counts.astype(np.float32) * 0.01 - 273.15
    grey = np.clip((celsius - low_c) / (high_c - low_c) * 255, 0, 255).astype(np.uint8)
    large = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    coloured: Picture = cv2.applyColorMap(large, cv2.COLORMAP_INFERNO)
    return coloured


def hall_view(simulation: Simulation, width: int = 1280, height: int = 800) -> Picture:
    """Return the hall from a high corner, BGR.

    Raises:
        InputError: there is no EGL here to render with.
    """
    from inspection_sim.sensors.rgb_camera import RgbCamera, RgbCameraModel

    grid = simulation.setting.grid
    rows, columns = grid.occupied.shape
    size = np.array([columns, rows]) * grid.resolution
    centre = np.array([*(np.array(grid.origin) + size / 2), 0.0])
    eye = centre + np.array([-0.45 * size[0], -0.75 * size[1], 0.5 * size[1]])
    forward = centre - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
    try:
        camera = RgbCamera(simulation.setting.world, RgbCameraModel(width, height), shadows=True)
    except RuntimeError as error:
        raise InputError("picture of the hall", str(error)) from None
    picture = camera.frame(eye, rotation, simulation.bodies.position, simulation.bodies.yaw)
    camera.close()
    return np.ascontiguousarray(picture[:, :, ::-1])


def run_map(folder: Path) -> Picture:
    """Return the map of a run: walls, people's ways, the robot's way, what was planted and what was found, BGR.

    Raises:
        InputError: the run is incomplete.
    """
    result = score_run(folder)
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    grid = floor_plan(read_world(WORLDS / f"{truth['world']}.sdf"))
    lines = [json.loads(line) for line in (folder / "trajectory.jsonl").read_text(encoding="utf-8").splitlines()]
    found = [json.loads(line) for line in (folder / "found.jsonl").read_text(encoding="utf-8").splitlines()]
    canvas = _canvas(grid)
    subjects = {item["subject"] for item in truth["planted"]}
    _ways(canvas, grid, lines, subjects)
    robot = _pixels(grid, np.array([line["robot"][:2] for line in lines]))
    cv2.polylines(canvas, [robot], False, WAY, 2, cv2.LINE_AA)
    cv2.circle(canvas, tuple(int(v) for v in robot[0]), 5, WAY, -1, cv2.LINE_AA)
    for name, at in truth["objects"].items():
        if name in subjects:
            _label(canvas, _pixels(grid, np.array([at]))[0], name, SUBJECT)
    shown: set[str] = set()
    for item in found:
        if item["type"] == "detection" and item["severity"] >= 2 and item["x"] is not None:
            spot = _pixels(grid, np.array([[item["x"], item["y"]]]))[0]
            cv2.circle(canvas, tuple(int(v) for v in spot), 6, FOUND, 2, cv2.LINE_AA)
            if item["kind"] not in shown:
                shown.add(item["kind"])
                _label(canvas, spot, f"{item['kind']} {item['t']:.0f} s", FOUND)
    return _captioned(canvas, result)


def save(picture: Picture, path: Path) -> None:
    """Write a picture.

    Raises:
        InputError: it cannot be written, or the suffix is no picture's.
    """
    try:
        written = cv2.imwrite(str(path), picture)
    except cv2.error:
        written = False
    if not written:
        raise InputError(path, "cannot be written as a picture")


def _canvas(grid: Grid) -> Picture:
    scale = round(PIXELS_PER_M * grid.resolution)
    light = np.where(grid.occupied[::-1, :, None], np.array(WALL), 255).astype(np.uint8)
    enlarged: Picture = np.repeat(np.repeat(light, scale, 0), scale, 1)
    return enlarged


def _pixels(grid: Grid, positions: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return pixels (n, 2) of positions (n, 2) [m]; y points up on the map and down in the picture."""
    scale = round(PIXELS_PER_M * grid.resolution) / grid.resolution
    height = grid.occupied.shape[0] * grid.resolution
    local = np.asarray(positions, dtype=np.float64) - np.array(grid.origin)
    return np.rint(np.stack([local[:, 0], height - local[:, 1]], axis=1) * scale).astype(np.int32)


def _ways(canvas: Picture, grid: Grid, lines: list[dict[str, Any]], subjects: set[str]) -> None:
    """Draw everybody's way, broken where somebody was away; planted people in colour and with their name."""
    names = sorted({name for line in lines for name in line["people"]}, key=lambda name: name in subjects)
    for name in names:
        at = [line["people"].get(name) for line in lines]
        pieces: list[list[list[float]]] = [[]]
        for place in at:
            if place is None:
                pieces.append([])
            else:
                pieces[-1].append(place[:2])
        colour = SUBJECT if name in subjects else PEOPLE
        for piece in pieces:
            if len(piece) > 1:
                cv2.polylines(
                    canvas, [_pixels(grid, np.array(piece))], False, colour, 2 if name in subjects else 1, cv2.LINE_AA
                )
        last = next((piece for piece in pieces if piece), None)
        if name in subjects and last:
            _label(canvas, _pixels(grid, np.array(last[:1]))[0], name, SUBJECT)


def _label(canvas: Picture, at: NDArray[np.int32], text: str, colour: tuple[int, int, int]) -> None:
    place = (
        int(np.clip(at[0] + 8, 4, canvas.shape[1] - 9 * len(text))),
        int(np.clip(at[1] - 8, 14, canvas.shape[0] - 6)),
    )
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 3, cv2.LINE_AA)
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)


def _captioned(canvas: Picture, result: Score) -> Picture:
    """Add a line below the map."""
    facts = result.as_dict()
    line = (
        f"{facts['scenario']}: found {facts['found']} of {facts['planted']}, {facts['false_alarms']} false alarms, "
        f"{facts['driven_m']} m in {facts['duration_s']:.0f} s"
    )
    strip: Picture = np.full((26, canvas.shape[1], 3), 255, dtype=np.uint8)
    cv2.putText(strip, line, (8, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, TEXT, 1, cv2.LINE_AA)
    return np.vstack([canvas, strip])
