from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from inspection_contract.errors import InputError
from inspection_sim.passengers import skin_temperature_c
from inspection_sim.sensors import base
from inspection_sim.sensors.base import BaseState
from inspection_sim.sensors.lidar import LidarModel, scan
from inspection_sim.sensors.localisation import Localisation, map_to_odom, wander
from inspection_sim.sensors.mounts import LIDAR, THERMAL_CAMERA, mounted
from inspection_sim.sensors.radiometry import apparent_temperature, radiance, surface_radiance, transmission
from inspection_sim.sensors.shapes import shapes_of
from inspection_sim.sensors.thermal_camera import ThermalCamera, ThermalCameraModel
from inspection_sim.simulation import Setting
from inspection_sim.world.scene import PARKED, build_scene
from inspection_sim.world.sdf import Model, read_world

FORWARD = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
IDEAL = ThermalCameraModel(netd_k=0.0, fixed_pattern_k=0.0, unit_offset_k=0.0, reference=None, ffc_step_k=(0.0, 0.0))


@given(st.floats(200, 600))
def test_apparent_temperature_undoes_radiance(kelvin: float) -> None:
    assert apparent_temperature(radiance(np.array([kelvin])))[0] == pytest.approx(kelvin, abs=0.01)


def test_band_radiance_of_a_room_is_that_of_the_planck_tables() -> None:
    # 8–14 µm holds 37.5 % of σT⁴/π at 300 K (Siegel and Howell, blackbody fractions of λT = 2400 and 4200 µm K).
    share = float(radiance(300.0)) / (5.670374419e-8 * 300.0**4 / np.pi)
    assert share == pytest.approx(0.3758, abs=0.003)


@given(st.floats(0.3, 1.0), st.floats(280, 330), st.floats(280, 330))
def test_a_surface_looks_as_warm_as_something_between_itself_and_its_surroundings(
    e: float, own: float, around: float
) -> None:
    seen = apparent_temperature(surface_radiance(np.array([own]), np.array([e]), around))[0]
    assert min(own, around) - 0.02 <= seen <= max(own, around) + 0.02


@given(st.floats(0, 60), st.floats(0, 60))
def test_air_transmits_less_over_a_longer_way(a: float, b: float) -> None:
    near, far = transmission(np.array([min(a, b), max(a, b)]), 22.0, 0.5)
    assert 0.8 < far <= near <= 1.0


class Stage:
    """The ordinary hall with one person at a distance before the camera."""

    def __init__(self, setting: Setting, model: ThermalCameraModel, seed: int = 0) -> None:
        self.camera = ThermalCamera(setting.world, model, np.random.default_rng(seed))
        self.names = [m.name for m in setting.world.models if not m.static]

    def celsius(self, distance_m: float, yaw: float = np.pi, who: str = "feverish") -> NDArray[np.float64]:
        bodies, yaws = np.tile(PARKED, (len(self.names), 1)), np.zeros(len(self.names))
        bodies[self.names.index(who)], yaws[self.names.index(who)] = (distance_m, 0.0, 0.0), yaw
        return self.camera.frame(0.0, np.array([0.0, 0.003, 1.6]), FORWARD, bodies, yaws) * 0.01 - 273.15


@pytest.fixture(scope="module")
def stage(arrivals: Setting) -> Stage:
    return Stage(arrivals, IDEAL)


def test_a_near_face_reads_between_its_skin_and_its_canthi(stage: Stage) -> None:
    face = stage.celsius(0.8)[40:80, 60:100].max()
    assert skin_temperature_c("face", 38.9, 22.0) < face < skin_temperature_c("canthus", 38.9, 22.0)


def test_a_lepton_loses_about_one_kelvin_at_a_metre_and_a_half_and_two_at_four(stage: Stage) -> None:
    truth = skin_temperature_c("canthus", 38.9, 22.0)
    near, far = (truth - stage.celsius(d)[50:75, 70:90].max() for d in (1.5, 4.0))
    assert 0.8 < near < 1.5  # measured on real recordings: 1.1 K (thermal.md)
    assert 1.5 < far < 2.7  # 2.1 K


def test_the_back_of_a_head_is_cooler_than_the_face(stage: Stage) -> None:
    assert stage.celsius(1.0, yaw=0.0)[45:62, 65:95].max() < stage.celsius(1.0)[45:62, 65:95].max() - 1.5


def test_the_wall_has_the_temperature_of_the_air(stage: Stage) -> None:
    assert np.median(stage.celsius(1.0)) == pytest.approx(22.0, abs=0.05)


def test_the_heated_reference_reads_its_temperature_and_nothing_else_stands_there(arrivals: Setting) -> None:
    picture = Stage(arrivals, dataclasses.replace(IDEAL, reference=ThermalCameraModel().reference)).celsius(2.0)
    assert picture[17, 138] == pytest.approx(37.0, abs=0.1)
    assert picture[17, 125] == pytest.approx(22.0, abs=0.3)


def test_noise_and_unit_offset_have_their_size(arrivals: Setting) -> None:
    real = dataclasses.replace(IDEAL, netd_k=0.05, unit_offset_k=2.0)
    stage = Stage(arrivals, real, seed=3)
    one, two = stage.celsius(3.0), stage.celsius(3.0)
    assert (one - two).std() == pytest.approx(0.05 * np.sqrt(2), rel=0.1)
    assert abs(np.median(one) - 22.0) > 0.2


def test_a_flat_field_correction_freezes_the_picture_and_then_steps_it(arrivals: Setting) -> None:
    model = dataclasses.replace(IDEAL, ffc_step_k=(1.2, 1.2), netd_k=0.02)
    camera = ThermalCamera(arrivals.world, model, np.random.default_rng(0))
    count = sum(not m.static for m in arrivals.world.models)
    bodies, yaws, eye = np.tile(PARKED, (count, 1)), np.zeros(count), np.array([0.0, 0.0, 1.6])
    before = camera.frame(100.0, eye, FORWARD, bodies, yaws)
    camera.start_flat_field_correction(100.1)
    assert (camera.frame(100.2, eye, FORWARD, bodies, yaws) == before).all()
    assert camera.correcting(100.2)
    after = camera.frame(103.0, eye, FORWARD, bodies, yaws)
    assert np.median(after.astype(float) - before) == pytest.approx(120 * (1 + 100 / 180), abs=8)


def test_bodies_of_other_shapes_are_refused_by_name(arrivals: Setting) -> None:
    column = next(m for m in arrivals.world.models if m.name == "column_1")
    with pytest.raises(InputError, match="cylinder"):
        shapes_of([Model("walker", False, np.eye(4), column.visuals, (), ())])


def test_the_scanner_measures_the_distance_to_a_wall(room: Path) -> None:
    scene = build_scene(read_world(room))
    model = LidarModel(lost_share=0.0, noise_m=0.0)
    ranges = scan(scene, model, np.array([0.0, 0.0, 0.3]), 0.0, np.random.default_rng(0))
    angle = model.angle_min + model.angle_increment * np.arange(model.rays)
    hits = np.abs(angle) < 0.8
    assert ranges[hits] == pytest.approx(3.0 / np.cos(angle[hits]), abs=1e-4)
    assert np.isinf(ranges[np.abs(angle) > 2.0]).all()


@given(st.integers(0, 100))
def test_a_base_without_errors_knows_where_it_is(seed: int) -> None:
    generator = np.random.default_rng(seed)
    state, exact = BaseState(0, 0, 0), base.Unit(1.0, 1.0, 0.0)

    class Silent:
        def normal(self, *_: object) -> float:
            return 0.0

    for _ in range(50):
        state = base.drive(state, tuple(generator.uniform(-1, 1, 2)), 0.02, False, exact, Silent())  # type: ignore[arg-type]
    assert (state.odom_x, state.odom_y, state.odom_yaw) == pytest.approx((state.x, state.y, state.yaw))


def test_odometry_drifts_with_the_way_and_accelerations_are_limited() -> None:
    generator = np.random.default_rng(4)
    unit = base.draw_unit(generator)
    state = BaseState(0, 0, 0)
    for _ in range(3000):
        before = state.v
        state = base.drive(state, (1.0, 0.2), 0.02, False, unit, generator)
        assert abs(state.v - before) <= base.ACCELERATION_M_S2 * 0.02 + 1e-9
    assert state.driven_m == pytest.approx(60, abs=1)
    assert 0.05 < np.hypot(state.x - state.odom_x, state.y - state.odom_y) < 6.0


def test_the_battery_empties_by_driving_and_fills_at_the_dock() -> None:
    state = BaseState(0, 0, 0, v=1.0)
    used = base.consume(state, 3600.0, charging=False)
    assert state.energy_wh - used.energy_wh == pytest.approx(base.IDLE_W + base.DRIVE_W_PER_M_S)
    assert base.consume(used, 3600.0, charging=True).energy_wh > used.energy_wh
    assert base.voltage(used) < base.voltage(state)


@given(
    st.tuples(st.floats(-30, 30), st.floats(-30, 30), st.floats(-3, 3)),
    st.tuples(st.floats(-30, 30), st.floats(-30, 30), st.floats(-3, 3)),
)
def test_map_to_odom_puts_the_robot_where_it_is(
    truth: tuple[float, float, float], odom: tuple[float, float, float]
) -> None:
    x, y, turn = map_to_odom(truth, odom, Localisation(np.zeros(3)))
    cos, sin = np.cos(turn), np.sin(turn)
    assert (x + cos * odom[0] - sin * odom[1], y + sin * odom[0] + cos * odom[1]) == pytest.approx(truth[:2], abs=1e-6)
    assert np.cos(turn + odom[2] - truth[2]) == pytest.approx(1.0)


def test_localisation_error_stays_bounded_and_centred() -> None:
    generator, state, errors = np.random.default_rng(1), Localisation(np.zeros(3)), []
    for _ in range(20_000):
        state = wander(state, 0.1, generator)
        errors.append(state.error)
    assert np.std(errors, axis=0) == pytest.approx([0.03, 0.03, 0.008], rel=0.2)
    assert np.abs(np.mean(errors, axis=0)).max() < 0.01


def test_sensors_turn_with_the_robot() -> None:
    position, rotation = mounted(THERMAL_CAMERA, (1.0, 2.0, np.pi / 2))
    assert position == pytest.approx([1.0, 2.0 + THERMAL_CAMERA.x, THERMAL_CAMERA.z])
    looks = rotation @ [0, 0, 1]
    assert looks[1] > 0.99 and looks[2] == pytest.approx(np.sin(0.12), abs=1e-6)  # along y, nose up
    assert mounted(LIDAR, (0.0, 0.0, 0.0))[0] == pytest.approx([LIDAR.x, LIDAR.y, LIDAR.z])
