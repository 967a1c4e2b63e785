"""The thermal node: frames in, screenings, overlay picture and findings out. Wiring only."""

from __future__ import annotations

import array
import math
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from inspection_interfaces.msg import Detection, Evidence, ScreeningArray
from nav_msgs.msg import OccupancyGrid
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image, LaserScan
from unique_identifier_msgs.msg import UUID

from inspection_contract.errors import InputError
from inspection_robot.evidence import EvidenceError, EvidenceStore, default_folder
from inspection_robot.model_files import find
from inspection_robot.people.background import Background
from inspection_robot.people.camera_sightings import Lens
from inspection_robot.people.scan_clusters import scan_points
from inspection_robot.ros import qos
from inspection_robot.ros.frames import Frames, TransformError
from inspection_robot.ros.node import InspectionNode, Level, Part, run
from inspection_robot.ros.parameters import parameter
from inspection_robot.ros.thermal_messages import camera_info, image_fault, key_values, pose_of, screening_of
from inspection_robot.ros.transforms import Transform
from inspection_robot.ros.workers import LatestWorker, Loop
from inspection_robot.thermal.decision import DecisionSettings
from inspection_robot.thermal.faces import MODEL_NAME, FaceDetector
from inspection_robot.thermal.findings import Finding, FindingsMaker, region_finding
from inspection_robot.thermal.frames import (
    ThermalFrame,
    celsius_from_centikelvin,
    centikelvin_fault,
    centikelvin_from_celsius,
)
from inspection_robot.thermal.hot_cold import HotColdSettings, HotColdWatch, RegionEvent, ignored
from inspection_robot.thermal.orientation import OrientationEstimator
from inspection_robot.thermal.overlay import draw_evidence, draw_overlay, draw_region
from inspection_robot.thermal.placing import FARTHEST_M, Place, PlaceMemory, in_view, place_of, view_of
from inspection_robot.thermal.reference import ReferenceSettings
from inspection_robot.thermal.screening import FrameResult, Screener, ScreeningSettings
from inspection_robot.thermal.sources.camera import Y16Camera
from inspection_robot.thermal.sources.recording import open_recording

_QUIET_AFTER_S = 3.0
_PAUSE_S = 0.5
"""Loops return at least this often, so that the node can shut down [s]."""


@dataclass(frozen=True)
class ThermalParameters:
    """Parameters of the thermal node."""

    source: str = parameter(
        "topic", "Where frames come from", choices=("topic", "camera", "recording"), read_only=True
    )  # fmt: skip
    device: str = parameter("/dev/video0", "V4L2 device of the camera (source camera)", read_only=True)
    recording: str = parameter("", "File to play in real time (source recording)", read_only=True)
    loop: bool = parameter(False, "Play the recording again and again")
    frame_id: str = parameter("thermal_optical_frame", "Frame of the camera where the node owns it", read_only=True)
    horizontal_view_deg: float = parameter(
        57.0, "Horizontal field of view of the camera [°]; a Lepton 3.5: 57", minimum=5.0, maximum=150.0, read_only=True
    )  # fmt: skip
    map_frame: str = parameter("map", "Frame of the places of hot and cold things", read_only=True)
    quarter_turns: int = parameter(
        -1, "Clockwise quarter turns that make pictures upright; -1: found from heads", minimum=-1, maximum=3
    )  # fmt: skip
    reference_c: float = parameter(37.0, "Temperature of the heated reference [°C]", minimum=20.0, maximum=60.0)
    reference_uncertainty_c: float = parameter(
        0.1, "Standard uncertainty of the reference's temperature [K]", minimum=0.0, maximum=2.0
    )  # fmt: skip
    camera_uniformity_c: float = parameter(
        0.47, "Standard deviation of the camera's error over its picture [K]; a Lepton: 0.47", minimum=0.0, maximum=3.0
    )  # fmt: skip
    threshold_c: float = parameter(37.5, "Core temperature from which on it is fever [°C]", minimum=34.0, maximum=42.0)
    sensitivity_shift: float = parameter(
        0.0, "Standard uncertainties below the threshold that already count [1]", minimum=-3.0, maximum=3.0
    )  # fmt: skip
    hysteresis_c: float = parameter(0.3, "An alarm ends this far below the threshold [K]", minimum=0.0, maximum=2.0)
    second_look_s: float = parameter(1.5, "Time between first look and alarm [s]", minimum=0.0, maximum=60.0)
    face_threshold: float = parameter(0.25, "Least score of a face [1]", minimum=0.05, maximum=0.95)
    highest_c: float = parameter(140.0, "Upper end of the camera's range [°C]", minimum=40.0, maximum=2000.0)
    warn_hot_cold: bool = parameter(True, "Warn of hot and cold things on patrol")
    hot_c: float = parameter(60.0, "From here on a thing is hot in any room [°C]", minimum=45.0, maximum=500.0)
    cold_c: float = parameter(2.0, "Up to here a thing is cold in any room [°C]", minimum=-60.0, maximum=12.0)
    persistence_s: float = parameter(2.0, "A hot or cold thing is told after this time [s]", minimum=0.0, maximum=600.0)
    masks: tuple[float, ...] = parameter(
        (), "Known screens, heaters, chillers: left, upper, right, lower of each, relative to the picture [1]",
        minimum=0.0, maximum=1.0,
    )  # fmt: skip
    overlay_hz: float = parameter(5.0, "Overlay pictures a second", minimum=0.1, maximum=30.0)

    def __post_init__(self) -> None:
        """Check what concerns several parameters together."""
        ignored((32, 32), self.masks)
        if self.source == "recording" and not self.recording:
            raise ValueError("source recording needs the parameter recording: a file")


class ThermalNode(InspectionNode[ThermalParameters]):
    """Screens people in thermal frames and reports fever, heat and cold."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("thermal", ThermalParameters, **kwargs)
        self._camera: Y16Camera | None = None
        self._playing: Iterator[ThermalFrame] = iter(())
        self._next_frame: ThermalFrame | None = None
        self._last_frame_s = -math.inf
        self._last_overlay_s = -math.inf
        self._frame_fault = ""
        self._last_result: FrameResult | None = None
        self._play_clock = (math.nan, 0.0)
        self._last_header: Any = None
        self._crops: dict[int, NDArray[np.uint8]] = {}
        self._lens: Lens | None = None
        self._background: Background | None = None
        self._scan: Any = None
        self._player: Loop | None = None
        self._places = PlaceMemory()

    # Lifecycle.

    def configure(self) -> None:
        """Load the model, open the recording, make publishers."""
        if self.parameters.source == "recording":
            self._recording = open_recording(Path(self.parameters.recording))
        self._detector = FaceDetector(find(MODEL_NAME), self.parameters.face_threshold)
        self._evidence = EvidenceStore(default_folder())
        self._screenings = self.create_publisher(ScreeningArray, "thermal/screenings", qos.EVENT)
        self._overlay = self.create_publisher(Image, "thermal/overlay", qos.SENSOR)
        self._detections = self.create_publisher(Detection, "detections", qos.ALARM)
        self._images = self._camera_info = None
        if self.parameters.source == "topic":
            self.create_subscription(Image, "thermal/image_raw", self._on_image, qos.SENSOR)
            self.create_subscription(CameraInfo, "thermal/camera_info", self._on_camera_info, qos.SENSOR)
        else:
            self._images = self.create_publisher(Image, "thermal/image_raw", qos.SENSOR)
            self._camera_info = self.create_publisher(CameraInfo, "thermal/camera_info", qos.SENSOR)
        self._frames = Frames(self)
        self.create_subscription(OccupancyGrid, "map", self._on_map, qos.MAP)
        self.create_subscription(LaserScan, "scan", self._on_scan, qos.SENSOR)

    def activate(self) -> None:
        """Start a fresh stream."""
        self._restart()
        self._worker: LatestWorker[tuple[Any, ThermalFrame | None]] = self.create_worker("screening", self._process)
        if self.parameters.source == "camera":
            self.create_loop("camera", self._read_camera)
        elif self.parameters.source == "recording":
            self._playing = self._recording.frames()
            self._play_clock, self._next_frame = (math.nan, 0.0), None
            self._player = self.create_loop("recording", self._play)

    def deactivate(self) -> None:
        """Let go of the camera."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None

    def parameters_changed(self, _old: ThermalParameters, _new: ThermalParameters) -> None:
        """Use new limits from the next frame on; people in view are screened anew."""
        if self.is_active:
            self._restart()

    def diagnose(self) -> Iterable[Part]:
        """Camera, reference and rate."""
        quiet = time.monotonic() - self._last_frame_s > _QUIET_AFTER_S
        source = self.parameters.source
        if self._frame_fault:
            yield Part("frames", Level.ERROR, self._frame_fault)
        elif quiet and self.is_active:
            yield Part("frames", Level.WARNING, f"no frames from {source}")
        else:
            yield Part("frames", Level.OK, f"frames from {source}", {"processed": self._screener.frames})
        result = self._last_result
        if result is None:
            return
        if result.fault in ("ffc", "frozen"):
            yield Part("camera", Level.ERROR if result.fault == "frozen" else Level.OK, result.fault)
        reference = result.reference
        values = {"offset_c": reference.offset_c, "drift_c_per_min": reference.drift_c_per_s * 60.0}
        if reference.usable and result.reference_shift_c:
            shift, stated = result.reference_shift_c, self.parameters.reference_c
            words = f"implausible: people read {shift:+.1f} K; is it at {stated:g} °C?"
            yield Part("reference", Level.ERROR, words, values)
        elif reference.usable:
            yield Part("reference", Level.OK, "in view", values)
        else:
            words = (
                "out of range" if reference.out_of_range else "lost" if reference.lost else "not found or not settled"
            )
            yield Part("reference", Level.WARNING, words, values)

    # Frames in.

    def _on_image(self, message: Any) -> None:
        """Check a picture of the topic and hand it over."""
        fault = image_fault(message)
        if fault is None:
            order = ">u2" if message.is_bigendian else "<u2"
            raw = np.frombuffer(message.data, order).reshape(message.height, message.width).astype(np.uint16)
            fault = centikelvin_fault(raw)
        if fault is not None:
            self._frame_fault = fault
            self.fault("image_unusable", fault, part="frames")
            return
        stamp = message.header.stamp
        self._offer(message.header, ThermalFrame(celsius_from_centikelvin(raw), stamp.sec + stamp.nanosec * 1e-9))

    def _read_camera(self) -> None:
        """One step of the camera loop; raises when the camera is away, and is then called again after a pause."""
        try:
            if self._camera is None:
                self._camera = Y16Camera(self.parameters.device)
            frame = self._camera.read()
        except InputError as error:
            self._frame_fault = str(error)
            if self._camera is not None:
                self._camera.close()
                self._camera = None
            raise
        self._publish_raw(frame)

    def _play(self) -> None:
        """One step of the playing loop: the next frame at its time."""
        if self._next_frame is None:
            self._next_frame = next(self._playing, None)
        frame = self._next_frame
        if frame is None:
            self._playing = self._recording.frames() if self.parameters.loop else iter(())
            self._play_clock = (math.nan, 0.0)
            self._worker.offer((None, None))
            self._pause(_PAUSE_S)
            return
        start_frame, start_clock = self._play_clock
        if math.isnan(start_frame):
            start_frame, start_clock = self._play_clock = (frame.time_s, time.monotonic())
        early_s = start_clock + frame.time_s - start_frame - time.monotonic()
        if early_s > 0:
            self._pause(min(early_s, _PAUSE_S))
        if early_s <= _PAUSE_S:
            self._next_frame = None
            self._publish_raw(frame)

    def _pause(self, seconds: float) -> None:
        """Wait in the playing loop, but not for a node that is being deactivated."""
        if self._player is not None:
            self._player.wait(seconds)

    def _publish_raw(self, frame: ThermalFrame) -> None:
        message = self._picture(centikelvin_from_celsius(frame.celsius), "mono16")
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = self.parameters.frame_id
        height, width = frame.celsius.shape
        self._lens = Lens.from_field_of_view(width, height, math.radians(self.parameters.horizontal_view_deg))
        assert self._images is not None and self._camera_info is not None
        self._camera_info.publish(camera_info(message.header, width, height, self._lens))
        self._images.publish(message)
        self._offer(message.header, frame)

    # Where things are: lens, map and lidar.

    def _on_camera_info(self, message: Any) -> None:
        if message.k[0] > 0 and message.k[4] > 0:
            self._lens = Lens(message.k[0], message.k[4], message.k[2], message.k[5])

    def _on_map(self, message: Any) -> None:
        info = message.info
        if info.resolution <= 0 or len(message.data) != info.width * info.height:
            self.fault("map_broken", "the map's size does not fit its data", part="map")
            return
        self.clear("map_broken")
        cells = np.frombuffer(message.data, np.int8).reshape(info.height, info.width)
        origin = info.origin.position
        self._background = Background.from_grid(cells, float(info.resolution), (origin.x, origin.y))

    def _on_scan(self, message: Any) -> None:
        self._scan = message

    def _transform(self, header: Any) -> Transform | None:
        """From the frame of data into the map's, at its time or else the newest; None without localisation."""
        for stamp in (header.stamp, None):
            try:
                return self._frames.lookup(self.parameters.map_frame, header.frame_id, stamp)
            except TransformError:
                continue
        return None

    def _returns(self) -> NDArray[np.float64] | None:
        """Lidar returns (n, 2) in the map's frame [m]; None without a lidar."""
        scan = self._scan
        transform = None if scan is None else self._transform(scan.header)
        if transform is None:
            return None
        flat = scan_points(np.asarray(scan.ranges, float), scan.angle_min, scan.angle_increment, FARTHEST_M)
        return transform.apply(np.concatenate([flat, np.zeros((len(flat), 1))], axis=1))[:, :2]

    def _whereabouts(self, header: Any, event: RegionEvent, shape: tuple[int, int]) -> tuple[Place | None, bool, int]:
        """Place of a warning, whether the camera sees it now, and the number of the thing."""
        transform = self._transform(header)
        if event.raised:
            place = None
            if transform is not None and self._lens is not None:
                view = view_of(event.region.box, self._lens, transform.apply)
                place = place_of(view, self._background, self._returns())
            return place, True, self._places.raised(event.number, event.region.heat, place)
        place, seen = self._places.place(event.number), True
        if place is not None and transform is not None and self._lens is not None:
            seen = in_view(place, self._lens, shape, transform, self._returns())
        return place, seen, self._places.ended(event.number, seen)

    def _offer(self, header: Any, frame: ThermalFrame) -> None:
        self._frame_fault = ""
        self.clear("image_unusable")
        self._last_frame_s = time.monotonic()
        if self.is_active:
            self._worker.offer((header, frame))

    # Results out. Everything below runs in the worker.

    def _restart(self) -> None:
        """Begin a new stream: nobody in view, reference to be found."""
        p = self.parameters
        decision = DecisionSettings(p.threshold_c, p.sensitivity_shift, p.hysteresis_c, p.second_look_s)
        settings = ScreeningSettings(
            reference=ReferenceSettings(celsius=p.reference_c, standard_uncertainty_c=p.reference_uncertainty_c),
            decision=decision,
            camera_uniformity_c=p.camera_uniformity_c,
            highest_celsius=p.highest_c,
            focal_px=80.0 / math.tan(math.radians(p.horizontal_view_deg / 2)),
        )
        self._screener = Screener(settings, self._detector)
        self._findings = FindingsMaker(decision)
        self._orientation = OrientationEstimator(None if p.quarter_turns < 0 else p.quarter_turns)
        self._crops.clear()
        self._hot_cold = HotColdWatch(HotColdSettings(hot_c=p.hot_c, cold_c=p.cold_c, persistence_s=p.persistence_s))
        self._mask: NDArray[np.bool_] | None = None
        self._mask_shape = (0, 0)
        self._places = PlaceMemory()

    def _process(self, item: tuple[Any, ThermalFrame | None]) -> None:
        header, frame = item
        if frame is None:  # the recording has ended
            for finding in self._findings.ended(self._screener.finish()):
                self._publish_finding(self._last_header, finding)
            self._restart()
            return
        self._last_header = header
        result = self._last_result = self._screener.process(frame)
        turns = self._orientation.update([person.face for person in result.persons])
        self._screenings.publish(
            ScreeningArray(header=header, screenings=[screening_of(header, p) for p in result.persons])
        )
        findings = self._findings.update(result, frame.time_s)
        shown = {id(finding.reading) for finding in findings}
        for person in result.persons:
            if id(person) in shown or self._findings.is_best(person):
                self._crops[person.track] = draw_evidence(frame.celsius, person, result, turns)
        for finding in findings:
            self._publish_finding(header, finding)
        for outcome in result.ended:
            self._crops.pop(outcome.track, None)
        if self.parameters.warn_hot_cold and result.fault is None:
            self._watch_hot_cold(header, frame, result, turns)
        if time.monotonic() - self._last_overlay_s >= 1.0 / self.parameters.overlay_hz:
            self._last_overlay_s = time.monotonic()
            message = self._picture(draw_overlay(frame.celsius, result, turns), "bgr8")
            message.header = header
            self._overlay.publish(message)

    def _watch_hot_cold(self, header: Any, frame: ThermalFrame, result: FrameResult, turns: int) -> None:
        shape = (frame.celsius.shape[0], frame.celsius.shape[1])
        if shape != self._mask_shape:
            self._mask, self._mask_shape = ignored(shape, self.parameters.masks), shape
        celsius = frame.celsius + np.float32(result.reference.offset_c) if result.reference.usable else frame.celsius
        for event in self._hot_cold.update(celsius, result.ambient_celsius, self._mask, frame.time_s):
            place, seen, number = self._whereabouts(header, event, shape)
            warning = region_finding(event, place, seen)
            message = self._detection(header, warning.kind, warning.severity, 1.0, f"thermal/region/{number}")
            message.value, message.unit = event.region.celsius, "Cel"
            message.standard_uncertainty = warning.standard_uncertainty_c
            message.rule_id, message.rule_version = warning.rule_id, warning.rule_version
            message.attributes = key_values(warning.attributes)
            if place is not None:
                message.pose = pose_of(self.parameters.map_frame, header.stamp, place)
            self._attach(message, draw_region(celsius, event.region, turns), "routine")
            self._detections.publish(message)

    def _detection(self, header: Any, kind: str, severity: int, confidence: float, subject: str) -> Any:
        return Detection(
            header=header, uuid=UUID(uuid=np.frombuffer(uuid.uuid4().bytes, np.uint8)), kind=kind,
            severity=int(severity), confidence=confidence, subject=subject, value=math.nan,
            standard_uncertainty=math.nan,
        )  # fmt: skip

    def _publish_finding(self, header: Any, finding: Finding) -> None:
        """Store the evidence, then tell the finding."""
        reading = finding.reading
        subject = f"thermal/{reading.track}"
        message = self._detection(header, finding.kind, finding.severity, finding.confidence, subject)
        message.rule_id, message.rule_version = finding.rule_id, finding.rule_version
        message.attributes = key_values(finding.attributes)
        if reading.ok:
            message.value, message.unit = reading.core_celsius, "Cel"
            message.standard_uncertainty = reading.uncertainty_c
            self._attach(message, self._crops.get(reading.track), finding.retention)
        self._detections.publish(message)

    def _attach(self, message: Any, picture: NDArray[np.uint8] | None, retention: str) -> None:
        """Store a picture and name it in the finding; a store that fails is a fault of its own."""
        if picture is None:
            return
        try:
            message.evidence = [self._store(picture, retention)]
            self.clear("evidence_lost")
        except EvidenceError as error:
            self.fault("evidence_lost", str(error), part="evidence")

    def _store(self, picture: NDArray[np.uint8], retention: str) -> Any:
        done, png = cv2.imencode(".png", picture)
        if not done:
            raise EvidenceError("the evidence picture cannot be encoded")
        stored = self._evidence.put(png.tobytes(), "image/png", "crop", retention)
        return Evidence(
            sha256=stored.sha256, media_type=stored.media_type, size_bytes=stored.size_bytes, role=stored.role,
            retention=stored.retention,
        )  # fmt: skip

    def _picture(self, pixels: NDArray[Any], encoding: str) -> Any:
        message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding, is_bigendian=0)
        message.step = int(pixels[0].nbytes)
        message.data = array.array("B", np.ascontiguousarray(pixels).tobytes())
        return message


def main() -> None:
    """Run the node."""
    run(ThermalNode)


if __name__ == "__main__":
    main()
