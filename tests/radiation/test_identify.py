"""Identification: right names on measured spectra, honest silence otherwise, industrial never medical."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inspection_robot.cli.__main__ import main
from inspection_robot.radiation.confidence import confidence
from inspection_robot.radiation.detectors import DETECTORS, detector_for
from inspection_robot.radiation.energy_calibration import calibrate, calibrated, quality_percent
from inspection_robot.radiation.identify import Identification, IdentifyParameters, identify
from inspection_robot.radiation.nuclides import by_name, nuclides
from inspection_robot.radiation.response import (
    BIN_EDGES_KEV,
    GRID_KEV,
    Resolution,
    ambient_shape,
    deposit_matrix,
    line_flux,
    nuclide_count_rate_per_mbq,
    shielded_fluxes,
    templates,
)
from inspection_robot.radiation.spectrum import EnergyCorrection, Spectrum, rebin
from inspection_robot.radiation.spectrum_files import read_spectrum
from tests.data import need

SURO = "radiation/suro_radiacode101"
CHANNELS = 1024
COEFFICIENTS = (-6.0, 2.44, 0.0004)


def simulated(name: str, source_cps: float, live_time_s: float, seed: int = 1, shift: float = 0.0) -> Spectrum:
    """A RadiaCode-102 spectrum of one nuclide behind thin steel over background, its energy scale off by ``shift``."""
    random = np.random.default_rng(seed)
    nuclide = by_name(name)
    flux = shielded_fluxes(line_flux(nuclide.energies_kev, nuclide.intensities))[1, 1]
    edges = np.polynomial.polynomial.polyval(np.arange(CHANNELS + 1.0), COEFFICIENTS) * (1.0 + shift)
    sigma = Resolution(0.095).sigma_kev(GRID_KEV)
    deposited = random.choice(GRID_KEV, 200_000, p=(p := flux @ deposit_matrix()) / p.sum())
    measured = random.normal(deposited, np.interp(deposited, GRID_KEV, sigma))
    shape, _ = np.histogram(measured[measured > 25.0], edges)
    background = 6.0 * _channels(ambient_shape(Resolution(0.095)), edges)
    counts = random.poisson((source_cps * shape / shape.sum() + background) * live_time_s)
    own = Spectrum(
        random.poisson(background * 3600.0), COEFFICIENTS, 3600.0, 3600.0, "RadiaCode-102"
    )  # fmt: skip
    return Spectrum(counts, COEFFICIENTS, live_time_s, live_time_s, "RadiaCode-102", background=own)


def _channels(shape: np.ndarray, edges: np.ndarray) -> np.ndarray:
    cumulative = np.concatenate([[0.0], np.cumsum(shape)])
    return np.diff(np.interp(edges, BIN_EDGES_KEV, cumulative))


def names(answer: Identification) -> list[str]:
    return [found.nuclide.name for found in answer.found]


@pytest.mark.parametrize(
    "name", ["Cs-137", "Co-60", "Am-241", "Ba-133", "Eu-152", "Co-57", "Na-22", "Ir-192", "I-131", "In-111", "Ra-226"]
)
def test_common_nuclides_are_named_from_a_minute(name: str) -> None:
    assert names(identify(simulated(name, 60.0, 60.0)))[:1] == [name]


@pytest.mark.parametrize("shift", [-0.02, 0.02])
def test_an_energy_scale_that_is_off_is_found(shift: float) -> None:
    answer = identify(simulated("Cs-137", 60.0, 60.0, shift=shift))
    assert names(answer) == ["Cs-137"]
    assert answer.correction.apply(np.array([662.0]))[0] == pytest.approx(662.0 * (1.0 + shift), abs=8.0)


@pytest.mark.parametrize("name", [n.name for n in nuclides() if n.category in ("industrial", "special_nuclear")])
def test_nothing_industrial_is_ever_called_medical(name: str) -> None:
    for live_time_s in (3.0, 60.0):
        answer = identify(simulated(name, 60.0, live_time_s, seed=len(name)))
        assert all(found.nuclide.category != "medical" for found in answer.found)


@pytest.mark.parametrize("shift", [-0.02, 0.0, 0.02])
def test_the_background_calibrates_the_energy_scale_with_a_quality_figure(shift: float) -> None:
    background = simulated("Cs-137", 0.0, 60.0, shift=shift).background
    assert background is not None
    calibration = calibrate(background, DETECTORS[1])
    assert calibration.usable
    error_kev = calibration.correction.apply(np.array([1461.0 / (1.0 + shift)]))[0] - 1461.0
    assert abs(error_kev) < 3.0 * calibration.energy_deviation_kev[2]
    assert 0.0 < quality_percent(calibration) < 3.0


def test_too_few_counts_calibrate_nothing() -> None:
    background = simulated("Cs-137", 0.0, 60.0).background
    assert background is not None
    few = calibrate(background.thinned(60.0, np.random.default_rng(1)), DETECTORS[1])
    assert not few.usable
    assert calibrated(DETECTORS[1], few) is DETECTORS[1]


def test_background_alone_is_unidentified() -> None:
    answer = identify(simulated("Cs-137", 0.0, 600.0))
    assert (answer.found, answer.reason) == ((), "too_weak")


def test_a_source_too_weak_is_unidentified() -> None:
    answer = identify(simulated("Cs-137", 1.0, 3.0))
    assert (answer.found, answer.reason) == ((), "too_weak")


@pytest.mark.parametrize(
    ("one", "other"), [("Am-241", "Co-60"), ("I-131", "Cs-137"), ("Tc-99m", "Co-60"), ("K-40", "Cs-137")]
)
def test_two_sources_are_both_named(one: str, other: str) -> None:
    first, second = simulated(one, 60.0, 300.0), simulated(other, 60.0, 300.0, seed=2)
    answer = identify(replace(first, counts=first.counts + second.counts))
    assert set(names(answer)) == {one, other}


def test_confidence_is_less_where_the_nuclide_is_not_in_the_library() -> None:
    spectrum = simulated("Cs-137", 60.0, 60.0)
    known = identify(spectrum)
    without = identify(spectrum, parameters=IdentifyParameters(left_out=frozenset({"Cs-137"})))
    assert names(known) == ["Cs-137"]
    assert names(without) == []
    assert known.evidence is not None
    assert without.evidence is not None
    assert confidence(known.evidence) > confidence(without.evidence)


@pytest.mark.parametrize("coefficients", [(), (1.0,), (0.0, -2.0), (0.0, 0.0), (0.0, float("nan"), 0.0), (0.0, 0.001)])
def test_a_useless_energy_scale_is_said_and_nothing_named(coefficients: tuple[float, ...]) -> None:
    answer = identify(replace(simulated("Cs-137", 60.0, 60.0), coefficients_kev=coefficients))
    assert (answer.found, answer.reason) == ((), "no_energy_scale")


def test_lineless_radiation_gets_no_name() -> None:
    spectrum = simulated("Cs-137", 0.0, 300.0)
    energy = spectrum.edges_kev()[:-1]
    soft = np.random.default_rng(3).poisson(
        12.0 * np.exp(-((np.log(np.maximum(energy, 1.0) / 110.0) / 0.6) ** 2)) * 5.0
    )
    answer = identify(replace(spectrum, counts=spectrum.counts + soft))
    assert names(answer) == []


def test_at_least_forty_nuclides_of_every_category_are_known() -> None:
    assert len(nuclides()) >= 40
    assert {n.category for n in nuclides()} == {"medical", "industrial", "norm", "special_nuclear"}
    assert all(len(n.energies_kev) == len(n.intensities) > 0 for n in nuclides())
    cs = by_name("Cs-137")
    assert cs.intensities[np.argmin(abs(cs.energies_kev - 661.66))] == pytest.approx(0.85, abs=0.01)


def test_templates_are_normalised_and_the_response_conserves_photons() -> None:
    bank = templates(Resolution(0.095))
    assert bank.shapes.sum(axis=1) == pytest.approx(1.0)
    assert bank.shapes.min() >= 0.0
    absorbed = deposit_matrix().sum(axis=1)
    assert absorbed.max() <= 1.0 + 1e-6
    assert absorbed[100] > absorbed[1000]  # a centimetre of CsI stops fewer photons the harder they are


def test_the_sensitivity_is_that_of_a_real_radiacode() -> None:
    # Measured: 2.4 counts a second for 1 MBq of Cs-137 at 1 m (design page).
    assert nuclide_count_rate_per_mbq(by_name("Cs-137"), 1.0) == pytest.approx(2.4, rel=0.1)


def test_rebinning_keeps_all_counts_but_the_overflow() -> None:
    counts = np.array([5, 7, 11, 13])
    bins = rebin(counts, np.array([30.0, 40.0, 50.0, 60.0, 70.0]), np.array([0.0, 45.0, 100.0]))
    assert bins.tolist() == [5 + 3.5, 3.5 + 11]


def test_a_correction_never_turns_the_scale_round() -> None:
    energies = EnergyCorrection(0.0, 1.0, -1e-3).apply(np.linspace(0.0, 3000.0, 100))
    assert np.all(np.diff(energies) >= 0.0)


def test_detectors_are_known_by_their_names() -> None:
    assert detector_for("RadiaCode-101", 256, 2950.0) is DETECTORS[0]
    assert detector_for("Radiacode 103", 1024, 2900.0).model == "RadiaCode-103"
    assert detector_for("", 8192, 3000.0).model == "germanium"


class TestMeasuredSpectra:
    @pytest.mark.parametrize(
        ("folder", "name"),
        [
            ("08_spectra_EG_3X_source_Cs-137", "Cs-137"),
            ("09_spectra_EG_3X_source_Co-60", "Co-60"),
            ("15_spectra_EG_3_source_Ba-133", "Ba-133"),
            ("02_spectra_radon_bottle", "Ra-226"),
        ],
    )
    def test_sources_are_named_at_full_time_and_mostly_in_three_seconds(self, folder: str, name: str) -> None:
        random = np.random.default_rng(1)
        spectra = [read_spectrum(path) for path in sorted(need(f"{SURO}/{folder}").glob("*.xml"))]
        assert [names(identify(s))[:1] for s in spectra] == [[name]] * len(spectra)
        short = [names(identify(s.thinned(3.0, random)))[:1] for s in spectra for _ in range(3)]
        assert short.count([name]) >= 0.75 * len(short)

    def test_background_and_a_tritium_lamp_are_given_no_name(self) -> None:
        for folder in ("01_spectra_natural_background", "07_spectra_tritium_keychain"):
            for path in need(f"{SURO}/{folder}").glob("*.xml"):
                assert names(identify(read_spectrum(path))) == []

    def test_another_unit_of_another_model_is_read_too(self) -> None:
        folder = need("radiation/radiacode_tools/data")
        assert names(identify(read_spectrum(folder / "data_am241.xml"))) == ["Am-241"]
        assert names(identify(read_spectrum(folder / "data_th232_plus_background.xml")))[:1] == ["Th-232"]


def test_the_command_prints_its_contract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = need(f"{SURO}/08_spectra_EG_3X_source_Cs-137/24_spectrum_EG_3X_source_Cs-137.xml")
    bad = need("radiation/radiacode_tools/data/data_invalid_spectrum.xml")
    assert main(["identify", "--json", "--output", str(tmp_path), str(bad), str(good)]) == 2
    output = capsys.readouterr()
    result = json.loads(output.out)
    (named,) = result["nuclides"]
    assert (named["name"], named["category"]) == ("Cs-137", "industrial")
    assert 0.9 < named["confidence"] < 1.0
    assert result["verdict"] == "red"
    assert result["live_time_s"] == pytest.approx(729.3, abs=0.1)
    assert Path(result["n42"]).read_bytes().startswith(b"<?xml")
    assert output.err.count("\n") == 1
    assert "1024 channels" in output.err
