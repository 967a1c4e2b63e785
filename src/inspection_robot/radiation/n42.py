"""Writer of N42.42-2011, the interchange format of radiation measurements: a spectrum and what was found in it.

The file follows the schema of NIST (http://physics.nist.gov/N42/2011/N42): one namespace, declared once as the default.
"""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.identify import Identification
from inspection_robot.radiation.spectrum import Spectrum

NAMESPACE = "http://physics.nist.gov/N42/2011/N42"
MEDIA_TYPE = "application/vnd.n42+xml"
CATEGORY_TEXT = {
    "medical": "Medical", "industrial": "Industrial", "norm": "NORM", "special_nuclear": "Special Nuclear Material",
}  # fmt: skip


@dataclass(frozen=True)
class N42Context:
    """What the writer cannot know from the spectrum.

    Attributes:
        robot: who measured.
        software_version: version of this software.
        alarm: description of the alarm that led to the measurement; empty for none.
        latitude_deg, longitude_deg: place [deg]; None when not known.
    """

    robot: str = "inspection_robot"
    software_version: str = "0"
    alarm: str = ""
    latitude_deg: float | None = None
    longitude_deg: float | None = None


def write_n42(spectrum: Spectrum, identification: Identification | None, context: N42Context | None = None) -> bytes:
    """Return the N42 file of a spectrum, its background and its identification."""
    context = context or N42Context()
    ElementTree.register_namespace("", NAMESPACE)
    root = _Element("RadInstrumentData")
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    root.node.set("n42DocUUID", str(uuid.uuid4()))
    root.node.set("n42DocDateTime", now)
    root.add("RadInstrumentDataCreatorName", context.robot)
    _instrument(root, spectrum, context)
    start = spectrum.start or now
    if spectrum.coefficients_kev:
        _calibration(root, "calibration", spectrum.coefficients_kev)
    else:
        _calibration(root, "calibration", (0.0, 1.0))
    _measurement(root, "foreground", "Foreground", spectrum, start, context)
    if spectrum.background is not None:
        _calibration(root, "calibration-background", spectrum.background.coefficients_kev or (0.0, 1.0))
        _measurement(root, "background", "Background", spectrum.background, spectrum.background.start or start, context)
    if identification is not None:
        _analysis(root, identification, context)
    return bytes(ElementTree.tostring(root.node, encoding="utf-8", xml_declaration=True))


class _Element:
    """An element of the N42 namespace."""

    def __init__(self, name: str, node: ElementTree.Element | None = None) -> None:
        self.node = ElementTree.Element(f"{{{NAMESPACE}}}{name}") if node is None else node

    def add(self, name: str, text: str = "", **attributes: str) -> _Element:
        """Append a child and return it."""
        child = ElementTree.SubElement(self.node, f"{{{NAMESPACE}}}{name}", attributes)
        child.text = text or None
        return _Element(name, child)


def _instrument(root: _Element, spectrum: Spectrum, context: N42Context) -> None:
    information = root.add("RadInstrumentInformation", id="instrument")
    maker = "Radiacode" if spectrum.instrument.lower().startswith("radiacode") else "unknown"
    information.add("RadInstrumentManufacturerName", maker)
    if spectrum.serial:
        information.add("RadInstrumentIdentifier", _plain(spectrum.serial))
    information.add("RadInstrumentModelName", _plain(spectrum.instrument) or "unknown")
    information.add("RadInstrumentClassCode", "Spectroscopic Personal Radiation Detector")
    version = information.add("RadInstrumentVersion")
    version.add("RadInstrumentComponentName", "Software")
    version.add("RadInstrumentComponentVersion", context.software_version)
    detector = root.add("RadDetectorInformation", id="detector")
    detector.add("RadDetectorCategoryCode", "Gamma")
    detector.add("RadDetectorKindCode", "CsI" if maker == "Radiacode" else "Other")
    if maker != "Radiacode":
        detector.add("RadDetectorDescription", "kind not stated by the file")


def _calibration(root: _Element, name: str, coefficients: tuple[float, ...]) -> None:
    # N42 asks for the polynomial's terms up to the square at least.
    padded = (*coefficients, 0.0, 0.0)[: max(3, len(coefficients))]
    values = " ".join(f"{value:.9g}" for value in padded)
    root.add("EnergyCalibration", id=name).add("CoefficientValues", values)


def _measurement(root: _Element, name: str, kind: str, spectrum: Spectrum, start: str, context: N42Context) -> None:
    measurement = root.add("RadMeasurement", id=f"measurement-{name}")
    measurement.add("MeasurementClassCode", kind)
    measurement.add("StartDateTime", start)
    measurement.add("RealTimeDuration", _duration(spectrum.real_time_s))
    calibration = "calibration" if kind == "Foreground" else "calibration-background"
    data = measurement.add(
        "Spectrum",
        id=f"spectrum-{name}",
        radDetectorInformationReference="detector",
        energyCalibrationReference=calibration,
    )
    data.add("LiveTimeDuration", _duration(spectrum.live_time_s))
    data.add("ChannelData", _channels(spectrum.counts), compressionCode="None")
    if kind == "Foreground" and context.latitude_deg is not None and context.longitude_deg is not None:
        state = measurement.add("RadInstrumentState", radInstrumentInformationReference="instrument")
        point = state.add("StateVector").add("GeographicPoint")
        point.add("LatitudeValue", f"{context.latitude_deg:.7f}")
        point.add("LongitudeValue", f"{context.longitude_deg:.7f}")


def _analysis(root: _Element, identification: Identification, context: N42Context) -> None:
    results = root.add("AnalysisResults", radMeasurementReferences="measurement-foreground")
    results.add("AnalysisAlgorithmName", "negative-binomial likelihood of shielded templates")
    version = results.add("AnalysisAlgorithmVersion")
    version.add("AnalysisAlgorithmComponentName", "identify")
    version.add("AnalysisAlgorithmComponentVersion", context.software_version)
    for name, value, units in (
        ("energy_offset", identification.correction.offset_kev, "keV"),
        ("energy_gain", identification.correction.gain, "unitless"),
        ("energy_curvature", identification.correction.curvature_per_kev, "1/keV"),
    ):
        setting = results.add("AnalysisAlgorithmSetting")
        setting.add("AnalysisAlgorithmSettingName", name)
        setting.add("AnalysisAlgorithmSettingValue", f"{value:.9g}")
        setting.add("AnalysisAlgorithmSettingUnits", units)
    results.add("AnalysisResultStatusCode", "Success")
    if identification.reason:
        results.add("AnalysisResultDescription", f"unidentified: {identification.reason}")
    if context.alarm:
        alarm = results.add("RadAlarm", radDetectorInformationReferences="detector")
        alarm.add("RadAlarmCategoryCode", "Gamma")
        alarm.add("RadAlarmDescription", context.alarm)
    if identification.found:
        nuclides = results.add("NuclideAnalysisResults")
        for found in identification.found:
            nuclide = nuclides.add("Nuclide")
            nuclide.add("NuclideIdentifiedIndicator", "true")
            nuclide.add("NuclideName", found.nuclide.name)
            nuclide.add("NuclideIDConfidenceValue", f"{100.0 * found.confidence:.3f}")
            nuclide.add("NuclideCategoryDescription", CATEGORY_TEXT[found.nuclide.category])


def _duration(seconds: float) -> str:
    return f"PT{seconds:.3f}S"


def _channels(counts: NDArray[np.int64]) -> str:
    return " ".join(map(str, counts.tolist()))


def _plain(text: str) -> str:
    """Leave out characters that XML cannot hold."""
    return "".join(character for character in text if character.isprintable())
