"""The robot's base: differential drive, odometry that drifts, inertial unit, battery.

Kinematic, with limited accelerations: the drive follows its velocity command and stops at whatever it touches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

RADIUS_M: Final = 0.30
"""Of the robot's round footprint."""
ACCELERATION_M_S2: Final = 1.2
ANGULAR_ACCELERATION: Final = 3.0
"""[rad/s²]"""
FASTEST_M_S: Final = 1.5
FASTEST_RAD_S: Final = 2.0
COMMAND_LIFE_S: Final = 0.5
"""A velocity command older than this is zero: what a motor controller does when its master falls silent."""
ODOMETRY_SCALE: Final = 0.01
"""Standard deviation of the wheel radius and track errors of a unit [1]."""
ODOMETRY_NOISE_M: Final = 0.005
"""Per square root of a metre driven [m]."""
ODOMETRY_NOISE_RAD: Final = 0.01
"""Per square root of a radian turned [rad]."""
GYRO_NOISE: Final = 0.002
GYRO_BIAS: Final = 0.001
"""[rad/s]"""
ACCELEROMETER_NOISE: Final = 0.02
"""[m/s²]"""
GRAVITY: Final = 9.80665
CAPACITY_WH: Final = 480.0
IDLE_W: Final = 55.0
DRIVE_W_PER_M_S: Final = 60.0
CHARGE_W: Final = 240.0
VOLTAGE: Final = (21.0, 25.2)
"""Empty and full [V]."""


@dataclass(frozen=True)
class BaseState:
    """Truth and odometry of the base.

    Attributes:
        x, y, yaw: true pose in the world [m, rad].
        v, w: true speed [m/s] and turning rate [rad/s].
        odom_x, odom_y, odom_yaw: pose by odometry [m, rad].
        acceleration: along x [m/s²].
        energy_wh: left in the battery [Wh].
        driven_m: distance driven [m].
        contacts: how often it touched something.
        touching: touches something now.
    """

    x: float
    y: float
    yaw: float
    v: float = 0.0
    w: float = 0.0
    odom_x: float = 0.0
    odom_y: float = 0.0
    odom_yaw: float = 0.0
    acceleration: float = 0.0
    energy_wh: float = 0.9 * CAPACITY_WH
    driven_m: float = 0.0
    contacts: int = 0
    touching: bool = False


@dataclass(frozen=True)
class Unit:
    """Errors of this unit: odometry scale of distance and turn [1], gyro bias [rad/s]."""

    distance_scale: float
    turn_scale: float
    gyro_bias: float


def draw_unit(generator: np.random.Generator) -> Unit:
    """Draw one unit's errors."""
    scale = generator.normal(1.0, ODOMETRY_SCALE, 2)
    return Unit(float(scale[0]), float(scale[1]), float(generator.normal(0.0, GYRO_BIAS)))


def drive(
    state: BaseState, command: tuple[float, float], dt: float, blocked: bool, unit: Unit, generator: np.random.Generator
) -> BaseState:
    """Move the base on by ``dt``.

    Args:
        state: before.
        command: speed [m/s] and turning rate [rad/s].
        dt: time step [s].
        blocked: something stands in the way of going on in the direction of motion.
        unit: errors of this unit.
        generator: random numbers.
    """
    v = _approach(state.v, float(np.clip(command[0], -FASTEST_M_S, FASTEST_M_S)), ACCELERATION_M_S2 * dt)
    w = _approach(state.w, float(np.clip(command[1], -FASTEST_RAD_S, FASTEST_RAD_S)), ANGULAR_ACCELERATION * dt)
    if blocked:
        v = 0.0
    distance, turn = v * dt, w * dt
    middle = state.yaw + turn / 2
    odometry_distance = distance * unit.distance_scale + generator.normal(0.0, ODOMETRY_NOISE_M) * np.sqrt(
        abs(distance)
    )
    odometry_turn = turn * unit.turn_scale + generator.normal(0.0, ODOMETRY_NOISE_RAD) * np.sqrt(abs(turn))
    odometry_middle = state.odom_yaw + odometry_turn / 2
    return replace(
        state,
        x=state.x + distance * np.cos(middle), y=state.y + distance * np.sin(middle), yaw=_wrap(state.yaw + turn),
        v=v, w=w, acceleration=(v - state.v) / dt,
        odom_x=state.odom_x + odometry_distance * np.cos(odometry_middle),
        odom_y=state.odom_y + odometry_distance * np.sin(odometry_middle),
        odom_yaw=_wrap(state.odom_yaw + odometry_turn),
        driven_m=state.driven_m + abs(distance),
        contacts=state.contacts + int(blocked and not state.touching), touching=blocked,
    )  # fmt: skip


def consume(state: BaseState, dt: float, charging: bool) -> BaseState:
    """Return the state after ``dt`` of battery use, or of charging at the dock."""
    power = CHARGE_W if charging else -(IDLE_W + DRIVE_W_PER_M_S * abs(state.v))
    return replace(state, energy_wh=float(np.clip(state.energy_wh + power * dt / 3600.0, 0.0, CAPACITY_WH)))


def voltage(state: BaseState) -> float:
    """Return the battery's voltage [V]."""
    return VOLTAGE[0] + (VOLTAGE[1] - VOLTAGE[0]) * state.energy_wh / CAPACITY_WH


def inertial(
    state: BaseState, unit: Unit, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return angular velocity [rad/s] and linear acceleration [m/s²] as the inertial unit measures them, each (3,)."""
    angular = np.array([0.0, 0.0, state.w + unit.gyro_bias]) + generator.normal(0.0, GYRO_NOISE, 3)
    linear = np.array([state.acceleration, state.v * state.w, GRAVITY]) + generator.normal(0.0, ACCELEROMETER_NOISE, 3)
    return angular, linear


def _approach(value: float, target: float, step: float) -> float:
    return value + float(np.clip(target - value, -step, step))


def _wrap(angle: float) -> float:
    return float((angle + np.pi) % (2 * np.pi) - np.pi)
