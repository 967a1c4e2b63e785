"""Walking people: the social force model.

Source: Helbing and Molnár, "Social force model for pedestrian dynamics", Physical Review E 51 (1995) 4282, with its
constants, and a body contact force. Nobody ever ends a step inside a solid: a step that would is undone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspection_sim.world.grid import Grid

RELAXATION_S: Final = 0.5
PEDESTRIAN_POTENTIAL: Final = 2.1
"""V⁰ [m²/s²]"""
PEDESTRIAN_RANGE_M: Final = 0.3
STEP_AHEAD_S: Final = 2.0
"""Δt: others are avoided where they will be within this time."""
WALL_POTENTIAL: Final = 10.0
"""U⁰ [m²/s²]"""
WALL_RANGE_M: Final = 0.2
VIEW_HALF_ANGLE: Final = np.deg2rad(100.0)
UNSEEN_WEIGHT: Final = 0.5
FASTEST: Final = 1.3
"""v_max over the desired speed."""
MEAN_SPEED_M_S: Final = 1.34
SPEED_DEVIATION_M_S: Final = 0.26
BODY_RADIUS_M: Final = 0.22
CONTACT_STIFFNESS: Final = 300.0
"""Acceleration per metre of overlap [1/s²]."""
LONGEST_FORCE: Final = 20.0
"""Forces are cut to this [m/s²]: bodies do not accelerate faster."""


@dataclass(frozen=True)
class Walkers:
    """People in motion: (n, 2) positions [m], (n, 2) velocities [m/s], (n,) desired speeds [m/s], (n,) radii [m]."""

    position: NDArray[np.float64]
    velocity: NDArray[np.float64]
    speed: NDArray[np.float64]
    radius: NDArray[np.float64]


def draw_speeds(count: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Return desired speeds ~ N(1.34, 0.26) m/s, cut to 0.5..2.2, shape (count,)."""
    return np.clip(generator.normal(MEAN_SPEED_M_S, SPEED_DEVIATION_M_S, count), 0.5, 2.2)


def step(
    walkers: Walkers, desired: NDArray[np.float64], grid: Grid, dt: float, others: Walkers | None = None
) -> Walkers:
    """Move everybody on by ``dt``.

    Args:
        walkers: people before.
        desired: (n, 2) unit directions in which they want to go; zero for those who stand.
        grid: floor plan.
        dt: time step, ≤ 0.1 s.
        others: bodies that are avoided but moved by somebody else (the robot).

    Returns:
        People after. Whoever was outside of solids stays outside of them.
    """
    if not len(walkers.position):
        return walkers
    everybody = walkers if others is None else _join(walkers, others)
    driving = (walkers.speed[:, None] * desired - walkers.velocity) / RELAXATION_S
    force = driving + _from_people(walkers, everybody, desired) + _from_walls(walkers, grid)
    size = np.linalg.norm(force, axis=1, keepdims=True)
    force *= np.minimum(1.0, LONGEST_FORCE / np.maximum(size, 1e-9))
    velocity = walkers.velocity + force * dt
    pace = np.linalg.norm(velocity, axis=1)
    velocity *= np.minimum(1.0, FASTEST * walkers.speed / np.maximum(pace, 1e-9))[:, None]
    position = walkers.position + velocity * dt
    for _ in range(2):
        room, gradient = grid.clear(position[:, 0], position[:, 1])
        position = position + np.maximum(walkers.radius - room, 0.0)[:, None] * gradient
    room, _ = grid.clear(position[:, 0], position[:, 1])
    before, _ = grid.clear(walkers.position[:, 0], walkers.position[:, 1])
    undone = (room <= 0.0) | ((room < 0.5 * walkers.radius) & (room < before))
    position = np.where(undone[:, None], walkers.position, position)
    velocity = np.where(undone[:, None], 0.0, velocity)
    return Walkers(position, velocity, walkers.speed, walkers.radius)


def _join(a: Walkers, b: Walkers) -> Walkers:
    return Walkers(
        np.vstack([a.position, b.position]), np.vstack([a.velocity, b.velocity]),
        np.concatenate([a.speed, b.speed]), np.concatenate([a.radius, b.radius]),
    )  # fmt: skip


def _from_people(walkers: Walkers, everybody: Walkers, desired: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return repulsion by the elliptical potential V⁰·exp(−b/σ), weighted by view, and contact, (n, 2) [m/s²]."""
    count = len(walkers.position)
    r = walkers.position[:, None, :] - everybody.position[None, :, :]
    stride = everybody.velocity[None, :, :] * STEP_AHEAD_S
    ahead = r - stride
    distance = np.sqrt(np.einsum("ijk,ijk->ij", r, r)) + 1e-9
    distance_ahead = np.sqrt(np.einsum("ijk,ijk->ij", ahead, ahead)) + 1e-9
    total = distance + distance_ahead
    b = 0.5 * np.sqrt(np.maximum(total**2 - np.einsum("ijk,ijk->ij", stride, stride), 1e-4))
    strength = PEDESTRIAN_POTENTIAL / PEDESTRIAN_RANGE_M * np.exp(-b / PEDESTRIAN_RANGE_M) * total / (4.0 * b)
    seen = np.einsum("ik,ijk->ij", desired, -r) >= distance * np.cos(VIEW_HALF_ANGLE)
    strength *= np.where(seen, 1.0, UNSEEN_WEIGHT)
    overlap = np.maximum(walkers.radius[:, None] + everybody.radius[None, :] - distance, 0.0)
    itself = (np.arange(count), np.arange(count))
    strength[itself] = overlap[itself] = 0.0
    contact = CONTACT_STIFFNESS * overlap / distance
    near = strength / distance + contact
    far = strength / distance_ahead
    force: NDArray[np.float64] = np.einsum("ij,ijk->ik", near, r) + np.einsum("ij,ijk->ik", far, ahead)
    return force


def _from_walls(walkers: Walkers, grid: Grid) -> NDArray[np.float64]:
    """Return repulsion by the nearest solid, U⁰/R·exp(−r/R) away from it, (n, 2) [m/s²]."""
    room, gradient = grid.clear(walkers.position[:, 0], walkers.position[:, 1])
    strength = WALL_POTENTIAL / WALL_RANGE_M * np.exp(-np.maximum(room, 0.0) / WALL_RANGE_M)
    result: NDArray[np.float64] = strength[:, None] * gradient
    return result
