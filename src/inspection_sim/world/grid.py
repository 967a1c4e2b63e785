"""Where one can stand: occupancy, clearance and ways of a world's floor plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.spatial.transform import Rotation
from skimage.graph import MCP_Geometric

from inspection_contract.errors import InputError
from inspection_sim.fields.nuclides import MATERIALS
from inspection_sim.fields.radiation import Solids
from inspection_sim.world.sdf import Collision, World

LOWEST_M: Final = 0.03
HIGHEST_M: Final = 1.9
"""Solids that reach into this range of heights are in the way of people and of the robot [m]."""


@dataclass(frozen=True)
class Grid:
    """An occupancy grid; row 0 lies at the smallest y, column 0 at the smallest x.

    Attributes:
        occupied: (rows, columns).
        origin: x, y of the lower left corner of cell (0, 0) [m].
        resolution: cell size [m].
        clearance: (rows, columns) distance of the cell's centre to the nearest solid, negative inside [m].
    """

    occupied: NDArray[np.bool_]
    origin: tuple[float, float]
    resolution: float
    clearance: NDArray[np.float64]

    def cell(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (row, column) of positions, clipped to the grid."""
        rows, columns = self.occupied.shape
        row = np.clip(np.floor((y - self.origin[1]) / self.resolution), 0, rows - 1).astype(np.int64)
        column = np.clip(np.floor((x - self.origin[0]) / self.resolution), 0, columns - 1).astype(np.int64)
        return row, column

    def clear(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the clearance (n,) [m] and its gradient (n, 2), bilinear between cell centres, at some positions."""
        rows, columns = self.occupied.shape
        u = np.clip((x - self.origin[0]) / self.resolution - 0.5, 0.0, columns - 1.001)
        v = np.clip((y - self.origin[1]) / self.resolution - 0.5, 0.0, rows - 1.001)
        i, j = u.astype(np.int64), v.astype(np.int64)
        fu, fv = u - i, v - j
        a, b = self.clearance[j, i], self.clearance[j, i + 1]
        c, d = self.clearance[j + 1, i], self.clearance[j + 1, i + 1]
        value = (a * (1 - fu) + b * fu) * (1 - fv) + (c * (1 - fu) + d * fu) * fv
        gradient = (
            np.stack([(b - a) * (1 - fv) + (d - c) * fv, (c - a) * (1 - fu) + (d - b) * fu], axis=1) / self.resolution
        )
        return value, gradient

    def contains(self, x: float, y: float) -> bool:
        """Tell whether a position lies on the grid."""
        rows, columns = self.occupied.shape
        return bool(
            self.origin[0] <= x < self.origin[0] + columns * self.resolution
            and self.origin[1] <= y < self.origin[1] + rows * self.resolution
        )


def floor_plan(world: World, resolution: float = 0.1) -> Grid:
    """Rasterise the still solids of a world.

    Raises:
        InputError: the world has no floor (a plane), so its extent is not known.
    """
    floors = [(m.pose @ c.pose, c.shape) for m in world.models for c in m.collisions if c.shape.kind == "plane"]
    if not floors:
        raise InputError(world.path, "no floor: a plane's collision gives the extent of the map")
    pose, shape = floors[0]
    width, depth = shape.dimensions[3:5]
    origin = (float(pose[0, 3] - width / 2), float(pose[1, 3] - depth / 2))
    rows, columns = round(depth / resolution), round(width / resolution)
    picture = np.zeros((rows, columns), dtype=np.uint8)
    for model in world.models:
        for solid in model.collisions if model.static else ():
            outline = _outline(model.pose @ solid.pose, solid)
            if outline is not None:
                points = np.rint(((outline - origin) / resolution - 0.5) * 16).astype(np.int32)
                cv2.fillConvexPoly(picture, cv2.convexHull(points), 1, shift=4)
    picture[[0, -1], :] = picture[:, [0, -1]] = 1  # nobody walks off the map
    occupied = picture.astype(np.bool_)
    outside = distance_transform_edt(~occupied) if occupied.any() else np.full(occupied.shape, 1e3)
    clearance = (outside - distance_transform_edt(occupied)) * resolution
    return Grid(occupied, origin, resolution, clearance.astype(np.float64))


def coarser(grid: Grid, factor: int) -> Grid:
    """Return the grid with cells ``factor`` times as large, each as tight as the tightest of its parts."""
    rows, columns = (size // factor for size in grid.occupied.shape)
    cut = (rows * factor, columns * factor)
    blocks = (rows, factor, columns, factor)
    occupied: NDArray[np.bool_] = np.max(grid.occupied[: cut[0], : cut[1]].reshape(blocks), axis=(1, 3))
    clearance: NDArray[np.float64] = np.min(grid.clearance[: cut[0], : cut[1]].reshape(blocks), axis=(1, 3))
    return Grid(occupied, grid.origin, grid.resolution * factor, clearance)


def solids_of(world: World) -> Solids:
    """Return the still solids that attenuate radiation: boxes and upright cylinders with a known material.

    Raises:
        InputError: a material has no attenuation data.
    """
    found = [
        (model.pose @ c.pose, c) for model in world.models if model.static
        for c in model.collisions if c.material and c.shape.kind in ("box", "cylinder")
    ]  # fmt: skip
    for _, solid in found:
        if solid.material not in MATERIALS:
            raise InputError(
                world.path, f"no attenuation data for {solid.material!r}; there are {', '.join(MATERIALS)}"
            )
    if not found:
        return Solids.none()
    half = []
    for _, solid in found:
        d = solid.shape.dimensions
        half.append((d[0] / 2, d[1] / 2, d[2] / 2) if solid.shape.kind == "box" else (d[0], d[0], d[1] / 2))
    return Solids(
        np.linalg.inv(np.array([pose for pose, _ in found])), np.array(half),
        np.array([solid.shape.kind == "cylinder" for _, solid in found]), tuple(solid.material for _, solid in found),
    )  # fmt: skip


def way_field(grid: Grid, x: float, y: float, margin: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far every cell is from a place, walking, and which way to go.

    Args:
        grid: floor plan.
        x: of the place [m].
        y: of the place [m].
        margin: nothing leads closer than this to a solid [m].

    Returns:
        (rows, columns) walking cost [m, more beside walls], infinite where there is no way; (rows, columns, 2) unit
        directions (x, y), zero at the place and where there is no way.

    Raises:
        InputError: the place lies in or too close to a solid.
    """
    row, column = (int(value[0]) for value in grid.cell(np.array([x]), np.array([y])))
    if not grid.contains(x, y) or grid.clearance[row, column] <= margin:
        raise InputError(f"place ({x:g}, {y:g})", "lies in or too close to a solid, or outside the map")
    cost = np.where(grid.clearance > margin, 1.0 + 2.0 * np.exp(-(grid.clearance - margin) / 0.4), -1.0)
    total, _ = MCP_Geometric(cost).find_costs([(row, column)])
    best, direction = np.full(total.shape, np.inf), np.zeros((*total.shape, 2))
    padded = np.pad(total, 2, constant_values=np.inf)
    rows, columns = total.shape
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            if (dx or dy) and np.gcd(dx, dy) == 1:
                neighbour = padded[2 + dy : 2 + dy + rows, 2 + dx : 2 + dx + columns]
                slope = neighbour + np.hypot(dx, dy)
                better = slope < best
                best[better] = slope[better]
                direction[better] = np.array([dx, dy]) / np.hypot(dx, dy)
    direction[row, column] = 0.0
    smooth = np.stack([gaussian_filter(direction[..., i], 1.5) for i in (0, 1)], axis=-1)
    length = np.linalg.norm(smooth, axis=-1, keepdims=True)
    return total * grid.resolution, np.divide(smooth, length, out=np.zeros_like(smooth), where=length > 1e-9)


def _outline(pose: NDArray[np.float64], solid: Collision) -> NDArray[np.float64] | None:
    """Return the outline (n, 2) of a solid seen from above [m]; None when it is no obstacle."""
    kind, d = solid.shape.kind, solid.shape.dimensions
    if kind == "plane":
        return None
    if kind == "box":
        corners = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]) * np.array(d) / 2
    elif kind == "ellipsoid":
        corners = _sphere_points() * np.array(d)
    elif kind == "sphere":
        corners = _sphere_points() * d[0]
    else:
        half = d[1] / 2 + (d[0] if kind == "capsule" else 0.0)
        angle = np.linspace(0.0, 2 * np.pi, 24, endpoint=False)
        ring = np.stack([np.cos(angle) * d[0], np.sin(angle) * d[0], np.zeros(24)], axis=1)
        up = np.array([0.0, 0.0, half])
        corners = np.vstack([ring + up, ring - up])
    points = corners @ pose[:3, :3].T + pose[:3, 3]
    if points[:, 2].max() < LOWEST_M or points[:, 2].min() > HIGHEST_M:
        return None
    outline: NDArray[np.float64] = points[:, :2]
    return outline


def _sphere_points() -> NDArray[np.float64]:
    """Return points spread over the unit sphere, (72, 3)."""
    turns = Rotation.from_euler("z", np.linspace(0, 2 * np.pi, 12, endpoint=False))
    half = np.stack([np.sin(t := np.linspace(0, np.pi, 6)), np.zeros(6), np.cos(t)], axis=1)
    return np.vstack([turn.apply(half) for turn in turns])
