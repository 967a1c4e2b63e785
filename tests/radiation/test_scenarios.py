"""Whole scenarios through the monitor: patient, lost source behind a wall, thoriated goods, X-ray scanner."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from inspection_contract.resources import share
from inspection_robot.radiation.adjudicate import load_rules
from inspection_robot.radiation.count_watch import CountStatus, WatchParameters
from inspection_robot.radiation.counts import CountInterval
from inspection_robot.radiation.drivers.detector import CumulativeSpectrum, Identity, TotalReading
from inspection_robot.radiation.findings import assessment_facts, pieces, whereabouts
from inspection_robot.radiation.localise import LocaliseParameters, Measurements, kernels
from inspection_robot.radiation.monitor import Assessment, Place, RadiationMonitor, Reading
from inspection_robot.radiation.nuclides import by_name
from inspection_robot.radiation.response import GRID_KEV, Resolution, deposit_matrix, line_flux, shielded_fluxes
from inspection_robot.radiation.walls import Walls, no_walls

CHANNELS = 1024
COEFFICIENTS = (-6.0, 2.44, 0.0004)
IDENTITY = Identity("RadiaCode-102", "RC-102-000001", 30.0)
RULES = load_rules(share() / "config" / "radiation_rules.yaml")
EDGES = np.polynomial.polynomial.polyval(np.arange(CHANNELS + 1.0), COEFFICIENTS)
SEARCH = LocaliseParameters(cps_per_mbq_1m=2.781)


def shape(name: str) -> np.ndarray:
    """Share of the counts of a nuclide in every channel."""
    nuclide = by_name(name)
    deposited = shielded_fluxes(line_flux(nuclide.energies_kev, nuclide.intensities))[1, 1] @ deposit_matrix()
    return _measured(deposited)


def hump() -> np.ndarray:
    """Share of the counts of scattered X-rays, without lines, in every channel."""
    return _measured(np.exp(-((np.log(GRID_KEV / 70.0) / 0.4) ** 2)))


def _measured(deposited: np.ndarray) -> np.ndarray:
    sigma = Resolution(0.095).sigma_kev(GRID_KEV)
    middle = (EDGES[:-1] + EDGES[1:]) / 2.0
    response = np.exp(-0.5 * ((middle[None, :] - GRID_KEV[:, None]) / sigma[:, None]) ** 2) / sigma[:, None]
    counts = deposited @ response * (middle > 25.0)
    return counts / counts.sum()


BACKGROUND = 6.4 * 0.5 * (shape("Ra-226") + shape("Th-232"))


class Stage:
    """Feeds a monitor second by second."""

    def __init__(self, walls: Walls | None = None) -> None:
        self.monitor = RadiationMonitor(IDENTITY, WatchParameters(), RULES, SEARCH)
        self.monitor.walls = walls or no_walls()
        self.random = np.random.default_rng(11)
        self.total = np.zeros(CHANNELS, np.int64)
        self.time_s = 0.0
        self.readings: list[Reading] = []

    def play(
        self, seconds: int, robot: Callable[[float], tuple[float, float]],
        source: Callable[[float, tuple[float, float]], float], spectrum: np.ndarray,
        people: Callable[[float], dict[str, Place]] = lambda _: {},
    ) -> None:  # fmt: skip
        """Let ``seconds`` pass: ``source`` gives the counts a second it adds at a time and place of the robot."""
        for step in range(seconds):
            place = robot(float(step))
            counts = self.random.poisson(BACKGROUND + source(float(step), place) * spectrum)
            self.total = self.total + counts
            self.time_s += 1.0
            reading = TotalReading(
                self.time_s, int(self.total.sum()), CumulativeSpectrum(self.total, COEFFICIENTS, self.time_s)
            )  # fmt: skip
            interval = CountInterval(self.time_s, 1.0, int(counts.sum()), int(self.total.sum()))
            self.readings.append(self.monitor.update(interval, reading, Place(*place), people(float(step))))

    def learn(self) -> None:
        """Two quiet minutes."""
        self.play(120, lambda _: (0.0, 0.0), lambda *_: 0.0, BACKGROUND)
        assert self.readings[-1].state.status is CountStatus.OK

    def assess(self, zone: str = "") -> Assessment:
        """What the alarm is."""
        assessment = self.monitor.assess(self.monitor.samples, self.monitor.alarm_spectrum(), zone)
        assert assessment is not None
        return assessment


def nuclides(assessment: Assessment) -> list[str]:
    assert assessment.identification is not None
    return [found.nuclide.name for found in assessment.identification.found]


def test_a_patient_who_walks_by_is_a_medical_case_that_moves_with_them() -> None:
    stage = Stage()
    stage.learn()

    def patient(time_s: float) -> Place:
        return Place(-10.0 + 0.8 * time_s, 1.2)

    def rate(time_s: float, robot: tuple[float, float]) -> float:
        place = patient(time_s)
        return 150.0 * 2.781 / ((place.x_m - robot[0]) ** 2 + (place.y_m - robot[1]) ** 2 + 0.16)

    stage.play(26, lambda _: (0.0, 0.0), rate, shape("I-131"), lambda t: {"p1": patient(t), "p2": Place(3.0, 3.0)})
    assessment = stage.assess()
    assert nuclides(assessment) == ["I-131"]
    assert (assessment.carrier.track, assessment.carrier.moves_with_track) == ("p1", True)
    assert (assessment.verdict.verdict, assessment.verdict.reason) == ("green", "medical_patient")
    where = whereabouts(assessment)
    assert where.subject == "p1"
    assert where.position_m == pytest.approx((patient(25.0).x_m, 1.2))
    assert [(p.media_type, p.role) for p in pieces(assessment, "robot", "1")] == [
        ("image/png", "trace"), ("image/png", "spectrum"), ("application/xml", "spectrum"),
    ]  # fmt: skip


def test_a_lost_source_behind_a_wall_is_industrial_and_located() -> None:
    solid = np.zeros((100, 160), bool)
    solid[45:47, :] = True  # a concrete wall 0.2 m thick along y = 4.6 m
    walls = Walls(solid, 0.1, (0.0, 0.0))
    lost = np.array([[6.0, 5.4]])
    stage = Stage(walls)
    stage.learn()

    def rate(_: float, robot: tuple[float, float]) -> float:
        one = Measurements(np.array([robot]), np.zeros(1), np.ones(1))
        return float(4000.0 * kernels(lost, one, walls, SEARCH)[0, 0])

    stage.play(24, lambda t: (0.5 + 0.5 * t, 4.0), rate, shape("Cs-137"))
    stage.play(10, lambda t: (12.5 - 0.5 * t, 3.0), rate, shape("Cs-137"))
    assessment = stage.assess()
    assert nuclides(assessment)[:1] == ["Cs-137"]
    assert assessment.verdict.verdict == "red"
    assert assessment.source is not None
    assert assessment.source.position_m == pytest.approx((6.0, 5.4), abs=0.8)
    # Every line runs through the wall, and the map does not tell how heavy that is.
    assert 4000.0 * np.exp(-17.8 * 0.25) < assessment.source.activity_mbq < 6000.0
    facts = assessment_facts(assessment, "detector", ended=False)
    assert facts["nuclides"].startswith("Cs-137")
    assert float(facts["activity_mbq_cs137"]) > 100.0
    viewpoint = np.array([[float(value) for value in facts["next_viewpoint"].split(",")]])
    assert walls.is_free(viewpoint)[0]


def test_thoriated_goods_are_natural() -> None:
    stage = Stage()
    stage.learn()
    stage.play(60, lambda t: (0.02 * t, 0.0), lambda *_: 40.0, shape("Th-232"))
    assessment = stage.assess("cargo")
    assert nuclides(assessment)[:1] == ["Th-232"]
    assert (assessment.verdict.verdict, assessment.verdict.reason) == ("green", "norm_goods")


def test_an_x_ray_scanner_is_a_short_burst_without_a_nuclide_in_its_zone() -> None:
    stage = Stage()
    stage.learn()
    stage.play(8, lambda _: (0.0, 0.0), lambda *_: 300.0, hump())
    assessment = stage.assess("xray_scanner")
    assert nuclides(assessment) == []
    assert assessment.verdict.reason == "scanner"


def test_a_blinded_detector_is_an_overload_whatever_else_is_seen() -> None:
    stage = Stage()
    stage.learn()
    stage.play(4, lambda _: (0.0, 0.0), lambda *_: 20000.0, hump())
    for _ in range(5):
        stage.time_s += 1.0
        total = int(stage.total.sum())
        reading = TotalReading(stage.time_s, total, CumulativeSpectrum(stage.total, COEFFICIENTS, stage.time_s))
        stage.readings.append(stage.monitor.update(CountInterval(stage.time_s, 1.0, 0, total), reading, None, {}))
    assert [reading.overload_began for reading in stage.readings[-5:]] == [True, False, False, False, False]
    assert np.isnan(stage.readings[-1].dose_rate_usv_h)
    assert stage.assess("xray_scanner").verdict.reason == "overload"


def test_slow_robots_would_have_detected_less_activity() -> None:
    stage = Stage()
    stage.learn()
    standing = stage.readings[-1].detectable_mbq
    stage.play(10, lambda t: (1.0 * t, 0.0), lambda *_: 0.0, BACKGROUND)
    assert 0.0 < standing < stage.readings[-1].detectable_mbq
