"""Readers of spectrum files: N42, RadiaCode XML, SPE, CNF, CSV and more through SandiaSpecUtils.

What the library accepts too easily is checked here: a calibration that contradicts itself, a spectrum without counts, a
file that is no spectrum at all. Everything that cannot be used raises ``InputError`` with the fault.
"""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import SpecUtils
from lxml import etree

from inspection_contract.errors import InputError
from inspection_robot.radiation.spectrum import Spectrum

LARGEST_BYTES = 64 * 2**20
LARGEST_COUNTS = 2**52
_XML_ROOTS = {
    "ResultDataFile": SpecUtils.ParserType.RadiaCode,
    "RadInstrumentData": SpecUtils.ParserType.N42_2012,
    "N42InstrumentData": SpecUtils.ParserType.N42_2006,
}


def read_spectrum(path: Path) -> Spectrum:
    """Read one file; several measurements of one detector are added up, and the background it holds comes along.

    Raises:
        InputError: the file is missing, empty, damaged, contradicts itself or holds no spectrum.
    """
    data = _bytes(path)
    kind = _xml_kind(path, data) if data.lstrip()[:1] == b"<" else SpecUtils.ParserType.Auto
    file = _load(path, kind)
    measurements = [m for m in file.measurements() if m.numGammaChannels() >= 16]
    if not measurements:
        raise InputError(path, "holds no gamma spectrum")
    background = [m for m in measurements if m.sourceType() == SpecUtils.SourceType.Background]
    foreground = [m for m in measurements if m.sourceType() == SpecUtils.SourceType.Foreground]
    foreground = foreground or [m for m in measurements if m not in background] or background
    spectrum = _added(path, foreground, file)
    if background and foreground is not background:
        spectrum = replace(spectrum, background=_added(path, background, file))
    return spectrum


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise InputError(path, f"larger than {LARGEST_BYTES // 2**20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(path, error.strerror or "cannot be read") from error
    if not data.strip():
        raise InputError(path, "empty")
    return data


def _xml_kind(path: Path, data: bytes) -> Any:
    """Return the library's parser for an XML file after checking what the library does not."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False)
    if b"encoding" not in data[:200]:
        # Some apps write names in the phone's own encoding under a head that says UTF-8; the counts are plain ASCII.
        data = data.decode("utf-8", errors="replace").encode()
    try:
        root = etree.fromstring(data.lstrip(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InputError(path, f"not well-formed XML: {error}") from error
    name = etree.QName(root).localname
    if name not in _XML_ROOTS:
        raise InputError(path, f"XML of an unknown kind ({name})")
    if name == "ResultDataFile":
        for element in [*root.iter("EnergySpectrum"), *root.iter("BackgroundEnergySpectrum")]:
            _check_radiacode(path, element)
    return _XML_ROOTS[name]


def _check_radiacode(path: Path, element: Any) -> None:
    """Refuse a RadiaCode spectrum whose counts or calibration contradict what it says about them."""
    try:
        channels = int(element.findtext("NumberOfChannels", "0"))
        points = [int(point.text or "") for point in element.iterfind("Spectrum/DataPoint")]
        order = int(element.findtext("EnergyCalibration/PolynomialOrder", "-1"))
        coefficients = [float(c.text or "") for c in element.iterfind("EnergyCalibration/Coefficients/Coefficient")]
        time_s = float(element.findtext("MeasurementTime", "0"))
    except ValueError as error:
        raise InputError(path, f"not a number in {element.tag}: {error}") from error
    if len(points) != channels:
        raise InputError(path, f"{element.tag} announces {channels} channels and holds {len(points)}")
    if len(coefficients) != order + 1:
        raise InputError(
            path, f"calibration of order {order} needs {order + 1} coefficients, there are {len(coefficients)}"
        )
    if not all(math.isfinite(value) for value in coefficients):
        raise InputError(path, "calibration is not finite")
    if min(points, default=0) < 0:
        raise InputError(path, "negative counts")
    if not (math.isfinite(time_s) and time_s > 0.0):
        raise InputError(path, "measuring time is not positive")


def _load(path: Path, kind: Any) -> Any:
    file = SpecUtils.SpecFile()
    try:
        with _silenced():
            file.loadFile(str(path), kind)
    except (RuntimeError, ValueError) as error:
        raise InputError(path, "not a spectrum file of a known kind, or damaged") from error
    return file


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keep the library's own messages off standard error: it tries one parser after the other and complains of each."""
    saved = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def _added(path: Path, measurements: list[Any], file: Any) -> Spectrum:
    """Add up the measurements that have the channels and the calibration of the first one."""
    first = measurements[0]
    channels, coefficients = first.numGammaChannels(), _coefficients(first)
    same = [m for m in measurements if m.numGammaChannels() == channels and _coefficients(m) == coefficients]
    counts = np.sum([np.asarray(m.gammaCounts(), dtype=float) for m in same], axis=0)
    live_s = float(sum(m.liveTime() for m in same))
    real_s = float(sum(m.realTime() for m in same))
    if not np.all(np.isfinite(counts)) or counts.min() < 0.0 or counts.sum() > LARGEST_COUNTS:
        raise InputError(path, "counts are negative or beyond reason")
    if counts.sum() == 0.0:
        raise InputError(path, "a spectrum without a single count")
    live_s = live_s or real_s
    if not (math.isfinite(live_s) and live_s > 0.0):
        raise InputError(path, "has no measuring time")
    if not all(math.isfinite(value) for value in coefficients):
        raise InputError(path, "calibration is not finite")
    return Spectrum(
        counts=np.rint(counts).astype(np.int64),
        coefficients_kev=coefficients,
        live_time_s=live_s,
        real_time_s=max(real_s, live_s),
        instrument=_text(file.instrumentModel),
        serial=_text(file.instrumentId),
        start=_start(first),
    )


def _coefficients(measurement: Any) -> tuple[float, ...]:
    """Lower-edge polynomial [keV]; empty when the file has none of its own or one of another form."""
    model = measurement.energyCalibrationModel()
    values = tuple(float(value) for value in measurement.calibrationCoeffs())
    if model == SpecUtils.EnergyCalType.Polynomial:
        return values
    if model == SpecUtils.EnergyCalType.FullRangeFraction:
        return tuple(SpecUtils.fullRangeFractionCoefToPolynomial(list(values), measurement.numGammaChannels()))
    return ()


def _text(call: Any) -> str:
    try:
        return str(call()).strip()
    except UnicodeDecodeError:
        return ""  # a name in another encoding than UTF-8 says nothing about the counts


def _start(measurement: Any) -> str:
    stamp = measurement.startTime()
    try:
        text = stamp.isoformat() if hasattr(stamp, "isoformat") else str(stamp)
    except (ValueError, UnicodeDecodeError):
        return ""
    return "" if text.startswith("1970-01-01") or not text[:4].isdigit() else text
