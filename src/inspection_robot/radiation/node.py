"""The radiation node: detector in; readings, spectra, map layer and findings out. Wiring only."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from diagnostic_msgs.msg import KeyValue
from inspection_interfaces.msg import Detection, Evidence, PersonArray, RadiationReading, RadiationSpectrum
from nav_msgs.msg import OccupancyGrid
from unique_identifier_msgs.msg import UUID

from inspection_contract.errors import InputError
from inspection_contract.events import Severity as FindingSeverity
from inspection_contract.resources import share
from inspection_robot.evidence import EvidenceError, EvidenceStore, default_folder
from inspection_robot.radiation.adjudicate import load_rules
from inspection_robot.radiation.count_watch import CountStatus, WatchParameters
from inspection_robot.radiation.counts import CountInterval, CumulativeCounter
from inspection_robot.radiation.drivers import (
    SERIAL_DRIVERS,
    DetectorError,
    Identity,
    RadiationDetector,
    TotalReading,
    open_detector,
)
from inspection_robot.radiation.field_map import FieldGrid, FieldMap
from inspection_robot.radiation.findings import (
    Piece,
    Whereabouts,
    assessment_facts,
    pieces,
    rise_facts,
    trace,
    whereabouts,
)
from inspection_robot.radiation.localise import LocaliseParameters
from inspection_robot.radiation.monitor import Assessment, Place, RadiationMonitor, Reading, Sample
from inspection_robot.radiation.spectrum import Spectrum
from inspection_robot.radiation.walls import Walls
from inspection_robot.ros import qos
from inspection_robot.ros.frames import Frames, TransformError
from inspection_robot.ros.node import InspectionNode, Level, Part, run
from inspection_robot.ros.parameters import parameter

_STATUS = {
    CountStatus.OK: RadiationReading.STATUS_OK,
    CountStatus.WARMING_UP: RadiationReading.STATUS_WARMING_UP,
    CountStatus.ALARM: RadiationReading.STATUS_ALARM,
    CountStatus.OVERLOAD: RadiationReading.STATUS_OVERLOAD,
    CountStatus.FAILED: RadiationReading.STATUS_FAILED,
}
_REASON = {CountStatus.OVERLOAD: "overload", CountStatus.FAILED: "silent", CountStatus.WARMING_UP: "warming_up"}
_OCCUPIED = 65  # cells of the map from this value on are walls, as in Nav2
_GARBAGE_TOLERATED = 5  # unreadable answers in a row before the detector is opened anew
_FIELD_PERIOD_S = 2.0
_LOCAL_FIELD_M = 60.0  # side of the map layer where there is no map [m]

Item = tuple[tuple[Sample, ...], Spectrum | None, str, bool]


@dataclass(frozen=True)
class RadiationParameters:
    """Parameters of the radiation node."""

    driver: str = parameter(
        "auto", "Detector", choices=("auto", "radiacode", *SERIAL_DRIVERS), read_only=True
    )  # fmt: skip
    port: str = parameter("", "Serial port, or serial number of a radiacode; empty: look everywhere", read_only=True)
    frame_id: str = parameter("radiation_link", "Frame of the detector", read_only=True)
    false_alarms_per_hour: float = parameter(0.05, "Budget of chance alarms [1/h]", minimum=1e-6, maximum=10.0)
    background_s: float = parameter(300.0, "Length of the learnt background [s]", minimum=30.0, maximum=3600.0)
    saturation_cps: float = parameter(0.0, "Rate above which the detector is blinded [1/s]; 0: not known", minimum=0.0)
    cps_per_usv_h: float = parameter(
        0.0, "Sensitivity to Cs-137 [1/s for 1 uSv/h]; 0: the detector's own", minimum=0.0, maximum=1e6
    )  # fmt: skip
    detectable_distance_m: float = parameter(
        1.0, "Distance at which the detectable activity is stated [m]", minimum=0.1, maximum=20.0
    )  # fmt: skip
    wall_material: str = parameter("concrete", "What walls are made of", choices=("water", "concrete", "steel", "lead"))
    scanner_zones: tuple[float, ...] = parameter((), "X-ray scanners: x, y, radius of each [m]")
    cargo_zones: tuple[float, ...] = parameter((), "Goods with natural radioactivity: x, y, radius of each [m]")
    assess_period_s: float = parameter(5.0, "Time between two looks at a lasting alarm [s]", minimum=1.0, maximum=60.0)
    field_resolution_m: float = parameter(0.5, "Cell of the map layer [m]", minimum=0.1, maximum=5.0, read_only=True)

    def __post_init__(self) -> None:
        """Check what concerns several values together."""
        for name in ("scanner_zones", "cargo_zones"):
            if len(getattr(self, name)) % 3:
                raise ValueError(f"{name} needs x, y and radius of each zone")


class RadiationNode(InspectionNode[RadiationParameters]):
    """Watches counts, names nuclides, finds sources."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("radiation", RadiationParameters, **kwargs)
        self._detector: RadiationDetector | None = None
        self._identity = Identity("")
        self._monitor: RadiationMonitor | None = None
        self._field: FieldMap | None = None
        self._walls: Walls | None = None
        self._people: dict[str, Place] = {}
        self._last: Reading | None = None
        self._garbage = 0
        self._assessed_s = -math.inf
        self._field_s = -math.inf
        self._told: tuple[object, ...] | None = None

    # Lifecycle.

    def configure(self) -> None:
        """Load the rules, make publishers and subscriptions; the detector is opened, and reopened, when active."""
        self._rules = load_rules(share() / "config" / "radiation_rules.yaml")
        self._evidence = EvidenceStore(default_folder())
        self._frames = Frames(self)
        self._readings = self.create_publisher(RadiationReading, "radiation/reading", qos.EVENT)
        self._spectra = self.create_publisher(RadiationSpectrum, "radiation/spectrum", qos.EVENT)
        self._layers = self.create_publisher(OccupancyGrid, "radiation/field", qos.MAP)
        self._detections = self.create_publisher(Detection, "detections", qos.ALARM)
        self.create_subscription(OccupancyGrid, "map", self._on_map, qos.MAP)
        self.create_subscription(PersonArray, "people", self._on_people, qos.EVENT)

    def activate(self) -> None:
        """Start to read the detector."""
        self._worker = self.create_worker("assessment", self._assess)
        self.create_loop("detector", self._step)

    def deactivate(self) -> None:
        """Let go of the detector."""
        self._close()

    def parameters_changed(self, _old: RadiationParameters, _new: RadiationParameters) -> None:
        """Learn the background anew under new limits."""
        if self._monitor is not None:
            self._monitor = self._new_monitor(self._identity)

    def diagnose(self) -> Iterable[Part]:
        """The detector and its counts."""
        if self._detector is None:
            yield Part("detector", Level.ERROR if self.is_active else Level.OK, "not connected")
            return
        last = self._last
        name = self._identity.name
        if last is None:
            yield Part("detector", Level.OK, "connected", {"detector": name})
            return
        values = {
            "detector": name,
            "rate_cps": last.state.rate_cps,
            "background_cps": last.state.background_cps,
            "detectable_mbq": last.detectable_mbq,
        }
        failed = last.state.status in (CountStatus.FAILED, CountStatus.OVERLOAD)
        yield Part("detector", Level.ERROR if failed else Level.OK, last.state.status.value, values)

    # What comes in.

    def _on_map(self, message: Any) -> None:
        info = message.info
        if info.resolution <= 0 or len(message.data) != info.width * info.height or not message.data:
            self.fault("map_broken", "the map's size does not fit its data", part="map")
            return
        self.clear("map_broken")
        cells = np.frombuffer(message.data, np.int8).reshape(info.height, info.width)
        origin = (float(info.origin.position.x), float(info.origin.position.y))
        self._walls = Walls(cells >= _OCCUPIED, float(info.resolution), origin)
        resolution = self.parameters.field_resolution_m
        columns = math.ceil(info.width * info.resolution / resolution)
        rows = math.ceil(info.height * info.resolution / resolution)
        self._field = FieldMap(FieldGrid(resolution, origin, columns, rows))

    def _on_people(self, message: Any) -> None:
        self._people = {
            person.track: Place(person.pose.pose.position.x, person.pose.pose.position.y) for person in message.people
        }

    # The detector's thread.

    def _step(self) -> None:
        """Read once; opens the detector when it is not open, and lets go of it when it fails."""
        try:
            if self._detector is None:
                self._detector, self._identity = open_detector(self.parameters.driver, self.parameters.port)
                self._opened()
            reading = self._detector.read()
            self._garbage = 0
            self.clear("unreadable")
        except DetectorError as error:
            self._garbage += 1
            if error.reason == "garbage" and self._detector is not None and self._garbage < _GARBAGE_TOLERATED:
                self.fault("unreadable", str(error), part="detector")
                return
            self._close()
            raise InputError(self.parameters.driver, str(error)) from error
        self._take(reading)

    def _opened(self) -> None:
        sensitivity = self.parameters.cps_per_usv_h
        if sensitivity > 0.0:
            own = self._identity
            self._identity = Identity(
                own.model, own.serial_number, sensitivity, own.dead_time_s, own.counter_wrap
            )  # fmt: skip
        self._counter = CumulativeCounter(self._identity.counter_wrap)
        if self._monitor is None or self._monitor.identity != self._identity:
            self._monitor = self._new_monitor(self._identity)
        else:
            self._monitor.discontinue()  # the same detector is back: what it has learnt still holds
        self.get_logger().info(f"radiation detector: {self._identity.name}")

    def _new_monitor(self, identity: Identity) -> RadiationMonitor:
        p = self.parameters
        watch = WatchParameters(
            false_alarms_per_hour=p.false_alarms_per_hour,
            background_s=p.background_s,
            saturation_cps=p.saturation_cps or math.inf,
        )
        search = LocaliseParameters(material=p.wall_material)
        return RadiationMonitor(identity, watch, self._rules, search, p.detectable_distance_m)

    def _close(self) -> None:
        detector, self._detector = self._detector, None
        if detector is not None:
            try:
                detector.close()
            except DetectorError as error:
                self.get_logger().debug(f"closing: {error}")

    def _take(self, reading: TotalReading) -> None:
        assert self._monitor is not None
        now = self.get_clock().now()
        simulated = self.get_parameter("use_sim_time").value
        time_s = now.nanoseconds * 1e-9 if simulated else reading.time_s
        step = self._counter.update(time_s, reading.total_counts)
        if not isinstance(step, CountInterval):
            if step is not None:
                self._monitor.discontinue()
                self.fault("interrupted", step.reason, part="detector")
            return
        self.clear("interrupted")
        place = self._place()
        if self._walls is not None:
            self._monitor.walls = self._walls
        result = self._last = self._monitor.update(step, reading, place, dict(self._people))
        stamp = now.to_msg()
        self._readings.publish(self._reading_message(stamp, result))
        self._draw_field(stamp, result, place)
        if result.overload_began:
            self._tell_rise(stamp, "radiation.overload", int(FindingSeverity.EMERGENCY), "radiation.overload")
        elif result.alarm_began:
            self._told = None
            self._assessed_s = step.end_s
            self._tell_rise(stamp, "radiation.rise", int(FindingSeverity.ALARM), "radiation.count_watch")
        alarm = result.state.status in (CountStatus.ALARM, CountStatus.OVERLOAD)
        due = alarm and step.end_s - self._assessed_s >= self.parameters.assess_period_s
        if due or result.alarm_ended:
            self._assessed_s = step.end_s
            zone = self._zone(place)
            self._worker.offer((self._monitor.samples, self._monitor.alarm_spectrum(), zone, result.alarm_ended))

    def _place(self) -> Place | None:
        try:
            found = self._frames.lookup("map", self.parameters.frame_id)
        except TransformError:
            return None  # not localised: counts are watched all the same
        return Place(float(found.translation[0]), float(found.translation[1]))

    def _zone(self, place: Place | None) -> str:
        if place is None:
            return ""
        for name, zones in (("xray_scanner", self.parameters.scanner_zones), ("cargo", self.parameters.cargo_zones)):
            for x, y, radius in zip(zones[::3], zones[1::3], zones[2::3], strict=True):
                if math.hypot(place.x_m - x, place.y_m - y) <= radius:
                    return name
        return ""

    # Messages.

    def _reading_message(self, stamp: Any, result: Reading) -> Any:
        state, interval = result.state, result.interval
        message = RadiationReading(
            detector=self._identity.name, cumulative_counts=interval.cumulative_counts, epoch=interval.epoch,
            interval_s=interval.duration_s, count_rate_cps=state.rate_cps,
            count_rate_uncertainty_cps=state.rate_uncertainty_cps, background_cps=state.background_cps,
            dose_rate_usv_h=result.dose_rate_usv_h, dose_rate_uncertainty_usv_h=result.dose_rate_deviation_usv_h,
            p_value=state.p_value, detectable_mbq=result.detectable_mbq, status=_STATUS[state.status],
            reason=_REASON.get(state.status, ""),
        )  # fmt: skip
        message.header.stamp, message.header.frame_id = stamp, self.parameters.frame_id
        return message

    def _draw_field(self, stamp: Any, result: Reading, place: Place | None) -> None:
        if place is None:
            return
        if self._field is None:
            resolution, half = self.parameters.field_resolution_m, 0.5 * _LOCAL_FIELD_M
            cells = round(_LOCAL_FIELD_M / resolution)
            self._field = FieldMap(FieldGrid(resolution, (place.x_m - half, place.y_m - half), cells, cells))
        self._field.add(place.x_m, place.y_m, result.interval.counts, result.interval.duration_s)
        end_s = result.interval.end_s
        if 0.0 <= end_s - self._field_s < _FIELD_PERIOD_S:  # a clock that went back starts anew
            return
        self._field_s = end_s
        grid = self._field.grid
        layer = OccupancyGrid(data=self._field.cells(result.state.background_cps).ravel().tolist())
        layer.header.stamp, layer.header.frame_id = stamp, "map"
        layer.info.resolution, layer.info.width, layer.info.height = grid.resolution_m, grid.columns, grid.rows
        layer.info.origin.position.x, layer.info.origin.position.y = grid.origin_m
        layer.info.origin.orientation.w = 1.0
        self._layers.publish(layer)

    def _tell_rise(self, stamp: Any, kind: str, severity: int, rule: str) -> None:
        """Tell at once that the counts have risen; what it is follows."""
        assert self._monitor is not None
        samples = self._monitor.samples
        state, place = samples[-1].state, samples[-1].place
        message = self._finding(stamp, kind, severity, 1.0 - min(1.0, state.p_value), rule, self._rules.version)
        message.value, message.unit = state.rate_cps, "{counts}/s"
        message.standard_uncertainty = state.rate_uncertainty_cps
        self._set_pose(message, stamp, Whereabouts("", (place.x_m, place.y_m)) if place is not None else Whereabouts())
        message.attributes = _key_values(rise_facts(state, self._identity.name))
        self._attach(message, lambda: [trace(samples)])
        self._detections.publish(message)

    # The assessment's thread.

    def _assess(self, item: Item) -> None:
        samples, spectrum, zone, ended = item
        assert self._monitor is not None
        assessment = self._monitor.assess(samples, spectrum, zone)
        if assessment is None:
            return
        stamp = self.get_clock().now().to_msg()
        if spectrum is not None:
            self._spectra.publish(self._spectrum_message(stamp, assessment, spectrum))
        if assessment.key != self._told or ended:
            self._told = assessment.key
            self._tell_assessment(stamp, assessment, ended)

    def _spectrum_message(self, stamp: Any, assessment: Assessment, spectrum: Spectrum) -> Any:
        found = assessment.identification.found if assessment.identification is not None else ()
        reason = assessment.identification.reason if assessment.identification is not None else ""
        message = RadiationSpectrum(
            detector=self._identity.name, live_time_s=spectrum.live_time_s, real_time_s=spectrum.real_time_s,
            counts=spectrum.counts.astype(np.uint32).tolist(),
            energy_coefficients_kev=list(spectrum.coefficients_kev), nuclides=[n.nuclide.name for n in found],
            confidences=[n.confidence for n in found], categories=[n.nuclide.category for n in found],
            verdict=assessment.verdict.verdict, reason=reason or assessment.verdict.reason,
        )  # fmt: skip
        message.header.stamp, message.header.frame_id = stamp, self.parameters.frame_id
        return message

    def _tell_assessment(self, stamp: Any, assessment: Assessment, ended: bool) -> None:
        verdict = assessment.verdict
        named = assessment.identification.found if assessment.identification is not None else ()
        confidence = max((n.confidence for n in named), default=0.5)
        severity = int(FindingSeverity[verdict.severity.upper()])
        message = self._finding(stamp, "radiation.source", severity, confidence, verdict.rule_id, verdict.rule_version)
        message.value, message.unit = assessment.peak_cps, "{counts}/s"
        message.standard_uncertainty = assessment.peak_deviation_cps
        self._set_pose(message, stamp, whereabouts(assessment))
        message.attributes = _key_values(assessment_facts(assessment, self._identity.name, ended))
        robot = self.get_namespace().strip("/") or "inspection_robot"
        self._attach(message, lambda: pieces(assessment, robot, self._rules.version))
        self._detections.publish(message)

    def _finding(self, stamp: Any, kind: str, severity: int, confidence: float, rule: str, version: str) -> Any:
        message = Detection(
            uuid=UUID(uuid=np.frombuffer(uuid.uuid4().bytes, np.uint8)), kind=kind, severity=severity,
            confidence=confidence, rule_id=rule, rule_version=version,
        )  # fmt: skip
        message.header.stamp, message.header.frame_id = stamp, self.parameters.frame_id
        return message

    def _set_pose(self, message: Any, stamp: Any, where: Whereabouts) -> None:
        message.subject = where.subject
        if where.position_m is None:
            return
        message.pose.header.stamp, message.pose.header.frame_id = stamp, "map"
        message.pose.pose.pose.position.x, message.pose.pose.pose.position.y = where.position_m
        message.pose.pose.pose.orientation.w = 1.0
        covariance = np.zeros((6, 6))
        covariance[:2, :2] = where.covariance_m2
        message.pose.pose.covariance = covariance.ravel()

    def _attach(self, message: Any, make: Callable[[], list[Piece]]) -> None:
        """Store evidence and name it in the finding; a store that fails is a fault of its own."""
        try:
            stored = [self._evidence.put(piece.data, piece.media_type, piece.role, "incident") for piece in make()]
        except EvidenceError as error:
            self.fault("evidence_lost", str(error), part="evidence")
            return
        self.clear("evidence_lost")
        message.evidence = [
            Evidence(
                sha256=piece.sha256, media_type=piece.media_type, size_bytes=piece.size_bytes, role=piece.role,
                retention=piece.retention,
            )
            for piece in stored
        ]  # fmt: skip


def _key_values(facts: dict[str, str]) -> list[Any]:
    return [KeyValue(key=key, value=value) for key, value in facts.items()]


def main() -> None:
    """Run the node."""
    run(RadiationNode)


if __name__ == "__main__":
    main()
