from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inspection_sim.fields import odor
from inspection_sim.fields.nuclides import MATERIALS, NUCLIDES, linear_attenuation
from inspection_sim.fields.odor import Plume
from inspection_sim.fields.radiation import (
    BACKGROUND_USV_H,
    GEIGER_CPS_PER_USV_H,
    Solids,
    Source,
    dose_rate_usv_h,
    geiger_rate_cps,
    line_flux,
    path_lengths,
)

ORIGIN = np.zeros(3)
POINTS = arrays(np.float64, 3, elements=st.floats(-10, 10))


def box(
    half: tuple[float, float, float], centre: tuple[float, float, float] = (0, 0, 0), material: str = "concrete"
) -> Solids:
    inverse = np.eye(4)
    inverse[:3, 3] = -np.array(centre)
    return Solids(inverse[None], np.array([half], dtype=np.float64), np.array([False]), (material,))


@given(st.sampled_from(sorted(NUCLIDES)), st.floats(0.1, 20), st.floats(1.1, 10))
def test_dose_rate_falls_with_the_square_of_the_distance(nuclide: str, near: float, factor: float) -> None:
    source = [Source(nuclide, 10.0, ORIGIN)]
    one = dose_rate_usv_h(source, np.array([near, 0, 0]), Solids.none())
    other = dose_rate_usv_h(source, np.array([0, near * factor, 0]), Solids.none())
    assert one / other == pytest.approx(factor**2)


def test_dose_constants_agree_with_the_published_ones() -> None:
    # Ambient dose equivalent rate constants at 1 m [µSv/h per MBq]: Cs-137 0.0927, Co-60 0.354 (ICRP 107 / SSK tables).
    for nuclide, expected in (("Cs-137", 0.0927), ("Co-60", 0.354)):
        assert dose_rate_usv_h([Source(nuclide, 1.0, ORIGIN)], np.array([1.0, 0, 0]), Solids.none()) == pytest.approx(
            expected, rel=0.04
        )


@given(st.floats(0.01, 0.5), st.sampled_from(MATERIALS))
def test_a_wall_attenuates_every_line_exponentially(thickness: float, material: str) -> None:
    source, there = Source("Co-60", 100.0, ORIGIN), np.array([4.0, 0, 0])
    energy, free = line_flux(source, there, Solids.none())
    _, behind = line_flux(source, there, box((thickness / 2, 5, 5), (2, 0, 0), material))
    assert behind / free == pytest.approx(np.exp(-linear_attenuation(material, energy) * thickness))


@given(POINTS, POINTS)
def test_path_lengths_do_not_depend_on_the_direction_and_never_exceed_the_line(a: np.ndarray, b: np.ndarray) -> None:
    solids = box((1.0, 2.0, 0.5))
    solids = Solids(
        np.tile(solids.inverse, (2, 1, 1)),
        np.array([[1.0, 2.0, 0.5], [1.5, 1.5, 2.0]]),
        np.array([False, True]),
        ("iron", "iron"),
    )
    there, back = path_lengths(solids, a, b), path_lengths(solids, b, a)
    assert there == pytest.approx(back, abs=1e-6)
    assert (there >= 0).all() and (there <= np.linalg.norm(b - a) + 1e-9).all()


@given(POINTS, POINTS, st.floats(0.05, 0.95))
def test_path_lengths_add_up_along_a_line(a: np.ndarray, b: np.ndarray, cut: float) -> None:
    solids = box((1.0, 2.0, 0.5))
    middle = a + cut * (b - a)
    assert path_lengths(solids, a, middle) + path_lengths(solids, middle, b) == pytest.approx(
        path_lengths(solids, a, b), abs=1e-6
    )


def test_a_ray_through_a_cylinder_runs_its_diameter() -> None:
    column = Solids(np.eye(4)[None], np.array([[0.4, 0.4, 2.0]]), np.array([True]), ("concrete",))
    assert path_lengths(column, np.array([-3.0, 0, 1]), np.array([3.0, 0, 1]))[0] == pytest.approx(0.8)
    assert path_lengths(column, np.array([-3.0, 0.5, 1]), np.array([3.0, 0.5, 1]))[0] == 0.0
    assert path_lengths(column, np.array([0.0, 0, -3]), np.array([0.0, 0, 3]))[0] == pytest.approx(4.0)


def test_without_sources_the_geiger_tube_counts_the_background() -> None:
    assert geiger_rate_cps([], ORIGIN, Solids.none()) == pytest.approx(GEIGER_CPS_PER_USV_H * BACKGROUND_USV_H)


def test_a_source_deep_in_a_body_is_weaker() -> None:
    there = np.array([2.0, 0, 0])
    bare = dose_rate_usv_h([Source("Tc-99m", 500.0, ORIGIN)], there, Solids.none())
    inside = dose_rate_usv_h([Source("Tc-99m", 500.0, ORIGIN, 0.1)], there, Solids.none())
    assert 0.1 * bare < inside < 0.4 * bare


def free(position: np.ndarray) -> np.ndarray:
    return np.zeros(len(position), dtype=np.bool_)


@given(st.floats(0, 50), st.floats(1, 100))
def test_a_filament_keeps_its_amount_of_gas_while_it_grows(age_s: float, ppm: float) -> None:
    plume = Plume(np.zeros((1, 3)), np.array([age_s]), np.array([ppm]), np.zeros(1, dtype=np.int64))
    centre = odor.concentration_ppm(plume, np.zeros(3), 1)[0]
    axis = np.arange(-1.6, 1.6, 0.02)
    amount = centre
    for direction in np.eye(3):  # a Gaussian separates into its three axes
        amount *= sum(odor.concentration_ppm(plume, direction * at, 1)[0] for at in axis) * 0.02 / centre
    assert amount == pytest.approx(ppm * odor.SIGMA_0_M**3 * (2 * np.pi) ** 1.5, rel=1e-3)


def test_a_source_releases_ten_filaments_a_second_and_they_are_carried_by_the_wind() -> None:
    plume, generator = Plume.empty(), np.random.default_rng(1)
    for _ in range(100):
        plume = odor.step(plume, np.array([[0, 0, 0.5]]), np.array([10.0]), np.array([0.5, 0.0]), free, generator)
    assert len(plume.age_s) == 100
    assert plume.position[plume.age_s.argmax(), 0] == pytest.approx(0.5 * 9.9, abs=1.0)
    downwind = odor.concentration_ppm(plume, np.array([2.0, 0, 0.5]), 1)[0]
    upwind = odor.concentration_ppm(plume, np.array([-2.0, 0, 0.5]), 1)[0]
    assert downwind > 100 * upwind


def test_filaments_do_not_pass_a_wall() -> None:
    def wall(position: np.ndarray) -> np.ndarray:
        return (position[:, 0] > 1.0) & (position[:, 0] < 1.5)

    plume, generator = Plume.empty(), np.random.default_rng(2)
    for _ in range(300):
        plume = odor.step(plume, np.array([[0, 0, 0.5]]), np.array([10.0]), np.array([0.3, 0.0]), wall, generator)
        assert plume.position[:, 0].max() <= 1.0 + 1e-9


def test_old_filaments_are_forgotten_and_absent_sources_release_none() -> None:
    plume, generator = Plume.empty(), np.random.default_rng(3)
    plume = odor.step(plume, np.array([[0, 0, 0.5], [np.nan] * 3]), np.array([1.0, 1.0]), np.zeros(2), free, generator)
    assert plume.source.tolist() == [0]
    for _ in range(round(odor.LIFE_S / odor.STEP_S) + 1):
        plume = odor.step(plume, np.full((2, 3), np.nan), np.ones(2), np.zeros(2), free, generator)
    assert len(plume.age_s) == 0
