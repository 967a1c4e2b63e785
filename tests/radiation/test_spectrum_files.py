"""Spectrum files: what is read, what is refused, what is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SpecUtils
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from inspection_contract.errors import InputError
from inspection_robot.radiation.identify import identify
from inspection_robot.radiation.n42 import NAMESPACE, N42Context, write_n42
from inspection_robot.radiation.raddata import raddata_uris
from inspection_robot.radiation.spectrum import Spectrum
from inspection_robot.radiation.spectrum_files import read_spectrum
from tests.data import need

TOOLS = "radiation/radiacode_tools/data"


def spectrum(channels: int = 256, seed: int = 1) -> Spectrum:
    counts = np.random.default_rng(seed).poisson(40.0, channels)
    return Spectrum(counts, (2.0, 9.4, 0.008), 30.0, 30.5, "RadiaCode-101", "RC-101-000001", "2026-01-01T10:00:00")


RADIACODE = """<?xml version="1.0"?><ResultDataFile><FormatVersion>120920</FormatVersion><ResultDataList><ResultData>
<DeviceConfigReference><Name>RadiaCode-102</Name></DeviceConfigReference><EnergySpectrum>
<NumberOfChannels>{channels}</NumberOfChannels><EnergyCalibration><PolynomialOrder>{order}</PolynomialOrder>
<Coefficients><Coefficient>1</Coefficient><Coefficient>{gain}</Coefficient><Coefficient>0</Coefficient></Coefficients>
</EnergyCalibration><MeasurementTime>{time}</MeasurementTime><Spectrum>{points}</Spectrum></EnergySpectrum></ResultData>
</ResultDataList></ResultDataFile>"""


def radiacode(folder: Path, **changes: object) -> Path:
    values: dict[str, object] = {"channels": 256, "order": 2, "gain": 11.0, "time": 10, "point": "3"} | changes
    points = f"<DataPoint>{values['point']}</DataPoint>\n" * 256
    path = folder / "radiacode.xml"
    path.write_text(RADIACODE.format(points=points, **{k: v for k, v in values.items() if k != "point"}))
    return path


def test_a_radiacode_file_is_read(tmp_path: Path) -> None:
    read = read_spectrum(radiacode(tmp_path))
    assert read.counts.tolist() == [3] * 256
    assert read.coefficients_kev == (1.0, 11.0)
    assert read.instrument == "RadiaCode-102"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"channels": 65}, "announces 65 channels and holds 256"),
        ({"order": 3}, "needs 4 coefficients"),
        ({"point": "-1"}, "negative counts"),
        ({"point": "x"}, "not a number"),
        ({"point": "0"}, "without a single count"),
        ({"time": 0}, "measuring time"),
        ({"gain": "nan"}, "not finite"),
    ],
)
def test_a_radiacode_file_that_contradicts_itself_is_refused(
    changes: dict[str, object], fault: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=fault):
        read_spectrum(radiacode(tmp_path, **changes))


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("data_invalid_spectrum.xml", "1024 channels"),
        ("data_invalid_cal_incorrect_order.xml", "order 3"),
        ("data_invalid_cal_inconsistent_order.xml", "order 2"),
        ("data_invalid.n42", "damaged"),
        ("n42.xsd", "unknown kind"),
        ("walk.rctrk", "known kind"),
    ],
)
def test_real_invalid_files_are_refused_in_one_line(name: str, fault: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=fault):
        read_spectrum(need(f"{TOOLS}/{name}"))
    assert capfd.readouterr().err == ""


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    entities = '<!ENTITY b "x"><!ENTITY c "&b;&b;&b;&b;">'
    bomb = f'<?xml version="1.0"?><!DOCTYPE a [{entities}]><ResultDataFile>&c;</ResultDataFile>'
    path = tmp_path / "bomb.xml"
    path.write_text(bomb)
    with pytest.raises(InputError):
        read_spectrum(path)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: b"<ResultDataFile>" + tail))
def test_no_bytes_make_anything_but_a_spectrum_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("spectra") / "file"
    path.write_bytes(data)
    try:
        assert read_spectrum(path).counts.sum() > 0
    except InputError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("with_background", [False, True])
def test_n42_is_read_back_as_it_was_written(with_background: bool, tmp_path: Path) -> None:
    original = replace(spectrum(), background=spectrum(seed=2) if with_background else None)
    path = tmp_path / "written.n42"
    path.write_bytes(write_n42(original, identify(original)))
    again = read_spectrum(path)
    assert again.counts.tolist() == original.counts.tolist()
    assert again.coefficients_kev == pytest.approx(original.coefficients_kev)
    assert (again.live_time_s, again.real_time_s) == (30.0, 30.5)
    assert (again.instrument, again.serial) == ("RadiaCode-101", "RC-101-000001")
    assert (again.background is not None) == with_background


CS137 = "radiation/suro_radiacode101/08_spectra_EG_3X_source_Cs-137/24_spectrum_EG_3X_source_Cs-137.xml"


def test_n42_passes_the_schema_for_every_kind_of_result() -> None:
    schema = etree.XMLSchema(etree.parse(str(need(f"{TOOLS}/n42.xsd"))))
    measured = read_spectrum(
        need("radiation/suro_radiacode101/08_spectra_EG_3X_source_Cs-137/24_spectrum_EG_3X_source_Cs-137.xml")
    )
    for original in (
        measured,
        spectrum(),
        replace(spectrum(), coefficients_kev=(), start="", serial="", instrument=""),
    ):
        for context in (N42Context(), N42Context("robot-1", "1.2", "radiation.rise", 50.1, 14.4)):
            document = etree.fromstring(write_n42(original, identify(original), context))
            assert schema.validate(document), schema.error_log
    assert document.tag == f"{{{NAMESPACE}}}RadInstrumentData"
    assert None in document.nsmap
    assert len(document.nsmap) == 1


def test_n42_names_the_nuclide_and_its_confidence() -> None:
    measured = read_spectrum(
        need("radiation/suro_radiacode101/08_spectra_EG_3X_source_Cs-137/24_spectrum_EG_3X_source_Cs-137.xml")
    )
    document = etree.fromstring(write_n42(measured, identify(measured)))
    assert document.findtext(f".//{{{NAMESPACE}}}NuclideName") == "Cs-137"
    assert float(document.findtext(f".//{{{NAMESPACE}}}NuclideIDConfidenceValue") or "nan") > 90.0


def test_raddata_text_is_read_back(tmp_path: Path) -> None:
    original = spectrum()
    uris = raddata_uris(original)
    assert uris
    assert all(len(uri) < 2953 for uri in uris)  # bytes of a version 40 QR code, level L
    path = tmp_path / "spectrum.txt"
    path.write_text("\n".join(uris))
    file = SpecUtils.SpecFile()
    file.loadFile(str(path), SpecUtils.ParserType.Uri)
    assert np.rint(file.measurements()[0].gammaCounts()).astype(int).tolist() == original.counts.tolist()
