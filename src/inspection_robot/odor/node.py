"""The odor node: readings in; samples, classifications, findings, source map and recalibration out. Wiring only."""

from __future__ import annotations

import math
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import yaml
from diagnostic_msgs.msg import KeyValue
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from inspection_interfaces.action import RecalibrateOdor
from inspection_interfaces.msg import Detection, Evidence, OdorClassification, OdorSample, PersonArray
from nav_msgs.msg import OccupancyGrid
from numpy.typing import NDArray
from std_msgs.msg import Header, String
from unique_identifier_msgs.msg import UUID

from inspection_contract.resources import share, state
from inspection_robot.evidence import EvidenceError, EvidenceStore, default_folder
from inspection_robot.model_files import find
from inspection_robot.odor import recalibration, trace_picture
from inspection_robot.odor.board_health import BoardStatus, HealthSettings
from inspection_robot.odor.board_slot import BoardSlot
from inspection_robot.odor.board_track import Exposure, TrackUpdate, describe
from inspection_robot.odor.calibration_store import CalibrationStore, load_reference
from inspection_robot.odor.dock import DockAccess, Outcome, run_schedule
from inspection_robot.odor.drivers import PROTOCOLS, BoardReading
from inspection_robot.odor.features import exposure_feature_names
from inspection_robot.odor.findings import RULE, Episode, Finding, load_rules, make_finding, onset_confidence
from inspection_robot.odor.judgement import Gate, Judgement, Verdict, check_gate, judge
from inspection_robot.odor.onnx_model import Calibration, OnnxRecogniser
from inspection_robot.odor.recognition import Recognition, Sniffs
from inspection_robot.odor.references import load_references
from inspection_robot.odor.source_search import SourceSearch, TrackHistory
from inspection_robot.ros import qos
from inspection_robot.ros.frames import Frames, TransformError
from inspection_robot.ros.node import InspectionNode, Level, Part, run
from inspection_robot.ros.parameters import parameter

Floats = NDArray[np.float64]

MAP_CELL_M, MAP_CELLS = 0.25, 64
CARRIER_SURE = 0.5
NEEDED_ACCURACY = 0.8
NOWHERE = Judgement(Verdict.NOTHING, "", "", 0.0, "")


@dataclass(frozen=True)
class OdorParameters:
    """Parameters of the odor node."""

    port: str = parameter("/dev/ttyUSB1", "Serial port of the board that is classified", read_only=True)
    protocol: str = parameter("mox_csv", "What the board speaks", choices=tuple(PROTOCOLS), read_only=True)
    further_boards: tuple[str, ...] = parameter((), "Further boards, each protocol:port", read_only=True)
    frame_id: str = parameter("odor_link", "Frame of the nose", read_only=True)
    model: str = parameter("odor_mox", "Model: models/<name>.onnx", read_only=True)
    calibration_max_age_h: float = parameter(24.0, "An older calibration gives no names [h]", minimum=0.1)
    factory_calibrated: bool = parameter(
        False, "The board comes warm and calibrated, as simulated ones do", read_only=True
    )  # fmt: skip
    warm_up_s: float = parameter(60.0, "Shortest warm-up after power-on [s]", minimum=0.0, read_only=True)
    humidity_exponent: float = parameter(
        0.25, "Resistance goes with humidity to the minus this [1]", minimum=0.0, maximum=2.0, read_only=True
    )  # fmt: skip
    decide_s: float = parameter(4.0, "Exposure before it is told [s]", minimum=1.0, maximum=30.0)
    wind_known: bool = parameter(False, "wind_m_s holds a measured wind")
    wind_m_s: tuple[float, ...] = parameter((0.0, 0.0), "Wind in map, x and y [m/s]", minimum=-20.0, maximum=20.0)


class OdorNode(InspectionNode[OdorParameters]):
    """Notices smells, names them as far as the calibration carries, and says where they come from."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("odor", OdorParameters, **kwargs)
        self._lock = threading.RLock()
        self._slots: list[BoardSlot] = []
        self._recogniser: OnnxRecogniser | None = None
        self._gate = Gate(False, math.inf, "never_calibrated")
        self._period_s = 0.5

    # Lifecycle.

    def configure(self) -> None:
        """Load rules, models and texts, make publishers, the action and subscriptions."""
        p = self.parameters
        health = HealthSettings(warm_up_s=0.0 if p.factory_calibrated else p.warm_up_s)
        self._slots = [
            BoardSlot(place, health, p.humidity_exponent) for place in (f"{p.protocol}:{p.port}", *p.further_boards)
        ]
        self._period_s = self._slots[0].period_s
        self._rules = load_rules(share() / "config" / "odor_rules.yaml")
        self._references = load_references(share() / "config" / "odor_references.yaml")
        self._texts = [
            yaml.safe_load((share() / "config" / "text" / language / "odor.yaml").read_text(encoding="utf-8"))
            for language in ("zh", "en")
        ]
        self._reference = load_reference(find(f"{p.model}_reference.npz"))
        self._calibrations = CalibrationStore(state() / "odor", find(f"{p.model}.onnx"))
        self._evidence = EvidenceStore(default_folder())
        self._search = SourceSearch(seed=1)
        self._tracks = TrackHistory()
        self._episode: Episode | None = None
        self._frames = Frames(self)
        self._samples = self.create_publisher(OdorSample, "odor/sample", qos.EVENT)
        self._classifications = self.create_publisher(OdorClassification, "odor/classification", qos.EVENT)
        self._detections = self.create_publisher(Detection, "detections", qos.ALARM)
        self._field = self.create_publisher(OccupancyGrid, "odor/field", qos.MAP)
        self._source = self.create_publisher(PoseWithCovarianceStamped, "odor/source", qos.EVENT)
        self._goal = self.create_publisher(PoseStamped, "odor/search_goal", qos.EVENT)
        self._presented = self.create_publisher(String, "odor/reference", qos.STATE)
        self.create_subscription(PersonArray, "people", self._on_people, qos.EVENT)
        self.create_action_server(RecalibrateOdor, "recalibrate_odor", self._recalibrate)

    def activate(self) -> None:
        """Read every board in a thread of its own."""
        self._started_s = self._now_s()
        for number, slot in enumerate(self._slots, start=1):
            self.create_loop(f"board_{number}", partial(self._read, slot, primary=number == 1))

    def deactivate(self) -> None:
        """Let go of the boards."""
        for slot in self._slots:
            slot.close()

    def diagnose(self) -> Iterable[Part]:
        """Each board, and the calibration."""
        for slot in self._slots:
            level = {BoardStatus.OK: Level.OK, BoardStatus.WARMING_UP: Level.WARNING}.get(slot.status, Level.ERROR)
            values = {"status": str(slot.status), "port": slot.port, "protocol": slot.protocol}
            yield Part(f"board {slot.port}", level, slot.text, values, slot.track.board)
        gate, recogniser = self._gate, self._recogniser
        if recogniser is not None:
            message = "fresh" if gate.fresh else f"no names: {gate.reason}"
            figures = {"age_h": gate.age_s / 3600.0, "accuracy": recogniser.calibration.accuracy}
            yield Part("calibration", Level.OK if gate.fresh else Level.WARNING, message, figures)

    # Readings in; runs in the loop of each board.

    def _read(self, slot: BoardSlot, primary: bool) -> None:
        """One step: take what the board gives within a second; raises while it is away."""
        reading = slot.poll()
        if reading is None:
            return
        stamp = self.get_clock().now()
        with self._lock:
            update = slot.update(reading, stamp.nanoseconds * 1e-9)
        self._tell_health(slot, update)
        header = Header(stamp=stamp.to_msg(), frame_id=self.parameters.frame_id)
        self._samples.publish(_sample(header, reading, update))
        if primary:
            self._follow(header, stamp.nanoseconds * 1e-9, slot, update)

    def _tell_health(self, slot: BoardSlot, update: TrackUpdate) -> None:
        if update.change:
            self.fault("board_changed", f"{slot.port}: {update.change}", part=f"board {slot.port}")
            self._recogniser = None
        if update.health.status in (BoardStatus.OK, BoardStatus.WARMING_UP):
            self.clear(f"board_{slot.protocol}")
            if not update.change and update.health.status is BoardStatus.OK:
                self.clear("board_changed")
        else:
            self.fault(f"board_{slot.protocol}", f"{slot.port}: {update.health.text}", part=f"board {slot.port}")

    def _follow(self, header: Any, time_s: float, slot: BoardSlot, update: TrackUpdate) -> None:
        """Classify, search and tell while the board smells something."""
        self._check_calibration(slot, time_s)
        nose = self._nose(header)
        if nose is not None:
            self._search.observe(
                time_s, nose, update.output.response, update.exposure is not None, self._period_s, self._wind()
            )
        exposure, episode = update.exposure, self._episode
        if exposure is None:
            if update.output.ended:
                self._classifications.publish(self._classification(header, NOWHERE, None, 0.0))
            if episode is not None and not episode.goes_on(time_s):
                self._episode = None
                self._search.reset()
            return
        self._episode = episode.at(time_s) if episode is not None else Episode(time_s)
        judgement, recognition = self._judge(exposure)
        self._classifications.publish(self._classification(header, judgement, recognition, exposure.intensity))
        self._publish_search(header)
        if exposure.duration_s >= self.parameters.decide_s and self._episode.says_more(judgement):
            finding = make_finding(judgement, exposure.intensity, onset_confidence(exposure.intensity), self._rules)
            self._episode = self._episode.after(judgement)
            self._publish_finding(header, slot, exposure, finding)

    def _check_calibration(self, slot: BoardSlot, time_s: float) -> None:
        if self._recogniser is None:
            self._recogniser = self._calibrations.recogniser(slot.track.board)
        calibration = self._recogniser.calibration
        if self.parameters.factory_calibrated and math.isnan(calibration.calibrated_at_s):
            calibration = replace(calibration, calibrated_at_s=self._started_s)
        names = exposure_feature_names(slot.track.channels)
        limit_s = self.parameters.calibration_max_age_h * 3600.0
        self._gate = check_gate(calibration, slot.track.board, names, time_s, limit_s)

    def _judge(self, exposure: Exposure) -> tuple[Judgement, Recognition | None]:
        """What may be said now: for the first samples of an exposure only that something is there."""
        assert self._recogniser is not None
        early = exposure.duration_s < self.parameters.decide_s or not exposure.describable
        if early or not self._gate.fresh:
            reason = self._gate.reason or "unsure"
            return Judgement(Verdict.UNRECOGNISED, "", "", 0.0, reason), None
        features = describe(exposure)
        recognition = self._recogniser.recognise(features[None, :])
        return judge(recognition, 0, self._recogniser.calibration, self._gate), recognition

    # Where it comes from.

    def _on_people(self, message: Any) -> None:
        places = [(person.track, person.pose.pose.position) for person in message.people]
        with self._lock:
            self._tracks.add(_seconds(message.header.stamp), {name: (place.x, place.y) for name, place in places})

    def _nose(self, header: Any) -> Floats | None:
        """Place of the nose in map (2,) [m]; None where the robot does not know where it is."""
        try:
            transform = self._frames.lookup("map", header.frame_id)
        except TransformError:
            return None
        place: Floats = np.array(transform.translation[:2])
        return place

    def _wind(self) -> Floats | None:
        p = self.parameters
        return np.array(p.wind_m_s[:2]) if p.wind_known and len(p.wind_m_s) == 2 else None

    def _publish_search(self, header: Any) -> None:
        estimate, waypoint = self._search.estimate(), self._search.waypoint()
        if estimate is None or waypoint is None:
            return
        in_map = Header(stamp=header.stamp, frame_id="map")
        source = PoseWithCovarianceStamped(header=in_map)
        _set_place(source.pose, estimate.place, estimate.covariance)
        self._source.publish(source)
        goal = PoseStamped(header=in_map)
        goal.pose.position.x, goal.pose.position.y = map(float, waypoint[1])
        goal.pose.orientation.w = 1.0
        self._goal.publish(goal)
        self._field.publish(_layer(in_map, *self._search.layer(estimate, MAP_CELL_M, MAP_CELLS)))

    def _carrier(self) -> tuple[str, float]:
        """The track that carries the source, if one does for sure, and its probability."""
        with self._lock:
            tracks = self._tracks.arrays()
        shares = self._search.carriers(tracks, self._wind())
        name = max(shares, key=lambda key: shares[key], default="")
        return (name, shares[name]) if name and shares[name] >= CARRIER_SURE else ("", 0.0)

    # Findings out.

    def _classification(
        self, header: Any, judgement: Judgement, recognition: Recognition | None, intensity: float
    ) -> Any:
        message = OdorClassification(
            header=header, verdict=int(judgement.verdict), family=judgement.family, substance=judgement.substance,
            probability=judgement.probability, intensity=intensity, calibration_age_s=self._gate.age_s,
            calibration_fresh=self._gate.fresh, reason=judgement.reason,
        )  # fmt: skip
        if recognition is not None and self._recogniser is not None:
            message.classes = list(self._recogniser.calibration.classes)
            message.probabilities = recognition.probabilities[0].tolist()
        return message

    def _publish_finding(self, header: Any, slot: BoardSlot, exposure: Exposure, finding: Finding) -> None:
        """Store the traces, then tell; without them if the store fails, which is a fault of its own."""
        assert self._recogniser is not None
        subject, share_of_subject = self._carrier()
        attributes = {**finding.attributes, "board": slot.track.board, "model": self._recogniser.version[:12]}
        if subject:
            attributes["carrier_probability"] = f"{share_of_subject:.2f}"
        message = Detection(
            header=header, uuid=UUID(uuid=np.frombuffer(uuid.uuid4().bytes, np.uint8)), kind=finding.kind,
            severity=int(finding.severity), confidence=finding.confidence, value=finding.intensity, unit="1",
            standard_uncertainty=1.0, subject=subject, rule_id=RULE, rule_version=self._rules.version,
            attributes=[KeyValue(key=key, value=value) for key, value in attributes.items()],
        )  # fmt: skip
        estimate = self._search.estimate()
        if estimate is not None:
            message.pose.header = Header(stamp=header.stamp, frame_id="map")
            _set_place(message.pose.pose, estimate.place, estimate.covariance)
        with self._lock:
            times, responses = slot.track.trace()
        title = f"{finding.kind} {finding.attributes.get('substance', finding.attributes.get('family', ''))}"
        onset = exposure.onset_s
        picture = trace_picture.draw_traces(
            times, responses, slot.track.channels, onset, f"{title}  {slot.track.board}"
        )
        try:
            message.evidence = [self._store(picture, "trace", "incident")]
            self.clear("evidence_lost")
        except EvidenceError as error:
            self.fault("evidence_lost", str(error), part="evidence")
        self._detections.publish(message)

    def _store(self, picture: NDArray[np.uint8], role: str, retention: str) -> Any:
        stored = self._evidence.put(trace_picture.to_png(picture), "image/png", role, retention)
        return Evidence(
            sha256=stored.sha256, media_type=stored.media_type, size_bytes=stored.size_bytes, role=stored.role,
            retention=stored.retention,
        )  # fmt: skip

    # Recalibration; runs in the thread of its goal.

    def _recalibrate(self, goal: Any) -> Any:
        """Sniff the dock's reference odors, refit, keep the better of old and new."""
        slot, references = self._slots[0], self._references
        names = tuple(goal.request.references) or references.names
        plan = recalibration.schedule(names, goal.request.sniffs or 5, references.flush_s, references.expose_s)
        access = DockAccess(
            present=self._present,
            wait=partial(self._wait, goal),
            ready=lambda: slot.status is BoardStatus.OK,
            features=partial(self._describe_now, slot),
            progress=lambda sniff, share_done: goal.publish_feedback(
                RecalibrateOdor.Feedback(reference=sniff.reference, sniff=sniff.number, progress=share_done)
            ),
        )
        done = run_schedule(plan, access)
        result = RecalibrateOdor.Result(drift=math.nan, accuracy=math.nan)
        if done.sniffs is not None:
            self._use(slot, done.sniffs, result)
            goal.succeed()
            return result
        result.message = self._say(done.outcome, reference=done.reference)
        if done.outcome is Outcome.CANCELLED:
            goal.canceled()
        else:
            goal.abort()
        return result

    def _present(self, name: str) -> None:
        self._presented_s = self._now_s()
        self._presented.publish(String(data=name))

    def _describe_now(self, slot: BoardSlot) -> Floats | None:
        """Features of what the board feels, if that began after the reference was presented."""
        with self._lock:
            exposure = slot.track.exposure()
        if exposure is None or exposure.onset_s < self._presented_s or not exposure.describable:
            return None
        return describe(exposure)

    def _wait(self, goal: Any, seconds: float) -> bool:
        """Wait on the node's clock; False when the goal is to end."""
        end = self._now_s() + seconds
        while self._now_s() < end:
            if goal.wait(0.05):
                return False
        return True

    def _use(self, slot: BoardSlot, sniffs: Sniffs, result: Any) -> None:
        """Refit to the sniffs, keep the new calibration when it is good enough, and fill in the result."""
        board, names = slot.track.board, exposure_feature_names(slot.track.channels)
        previous = self._calibrations.sniffs(board)
        blank = Calibration(board, names, (), (), (), self._now_s(), 0.0, math.nan)
        model, calibration, drift = recalibration.recalibrate(self._reference, sniffs, previous, blank)
        if previous is not None:
            expected, found = (recalibration.strongest(item) for item in (previous, sniffs))
            with self._lock:
                slot.track.judge_references(expected, found)
        result.drift, result.accuracy = drift.total, drift.accuracy
        result.accepted = drift.accuracy >= NEEDED_ACCURACY
        if result.accepted:
            self._recogniser = self._calibrations.keep(board, model, calibration, sniffs)
        values = {
            "accuracy": f"{drift.accuracy:.0%}",
            "drift": f"{drift.total:.2f}",
            "needed": f"{NEEDED_ACCURACY:.0%}",
        }
        result.message = self._say("accepted" if result.accepted else "refused", **values)
        try:
            result.report = self._store(
                trace_picture.draw_drift(drift, f"odor calibration {board}"), "document", "routine"
            )
        except EvidenceError as error:
            self.fault("evidence_lost", str(error), part="evidence")

    def _say(self, key: str, **values: str) -> str:
        return " / ".join(texts["report"][key].format(**values) for texts in self._texts)

    # Small things.

    def _now_s(self) -> float:
        return float(self.get_clock().now().nanoseconds) * 1e-9


def _sample(header: Any, reading: BoardReading, update: TrackUpdate) -> Any:
    return OdorSample(
        header=header, board=reading.board, channels=list(reading.channels), values=reading.values.tolist(),
        units=list(reading.units), temperature_c=reading.temperature_c, relative_humidity=reading.relative_humidity,
        pressure_pa=reading.pressure_pa, status=str(update.health.status),
    )  # fmt: skip


def _set_place(pose: Any, place: Floats, covariance: Floats) -> None:
    """Fill a geometry_msgs/PoseWithCovariance from a place (2,) [m] with covariance (2, 2) [m²]."""
    pose.pose.position.x, pose.pose.position.y = map(float, place)
    pose.pose.orientation.w = 1.0
    full = np.zeros((6, 6))
    full[:2, :2] = covariance
    full[range(2, 6), range(2, 6)] = 1e6  # height and attitude are not known
    pose.covariance = full.ravel().tolist()


def _layer(header: Any, origin: Floats, cells: NDArray[np.int8]) -> Any:
    message = OccupancyGrid(header=header)
    message.info.map_load_time = header.stamp
    message.info.resolution = MAP_CELL_M
    message.info.height, message.info.width = cells.shape
    message.info.origin.position.x, message.info.origin.position.y = map(float, origin)
    message.info.origin.orientation.w = 1.0
    message.data = cells.ravel().tolist()
    return message


def _seconds(stamp: Any) -> float:
    return float(stamp.sec) + float(stamp.nanosec) * 1e-9


def main() -> None:
    """Run the node."""
    run(OdorNode)


if __name__ == "__main__":
    main()
