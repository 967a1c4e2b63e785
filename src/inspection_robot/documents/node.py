"""The documents node: reads what the colour camera sees, asks the watch-list, tells without telling identities."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from diagnostic_msgs.msg import KeyValue
from inspection_interfaces.msg import Detection, DocumentRead, Evidence, WatchlistStatus
from numpy.typing import NDArray
from rclpy.time import Time as RclpyTime
from sensor_msgs.msg import CameraInfo, Image
from unique_identifier_msgs.msg import UUID

from inspection_contract.errors import InputError
from inspection_contract.resources import state
from inspection_contract.sealing import identifier_digest
from inspection_robot.bridge.credentials import read_credentials
from inspection_robot.bridge.orders import read_watchlist
from inspection_robot.documents.advice import Advice, advise
from inspection_robot.documents.mrz_reader import MrzReader
from inspection_robot.documents.places import Camera, place_of
from inspection_robot.documents.reading import Sight, agreed, look
from inspection_robot.documents.voting import Agreed, FrameVotes
from inspection_robot.evidence import EvidenceError, EvidenceStore, default_folder
from inspection_robot.interception.grades import Grade
from inspection_robot.interception.watchlist import Hit, Watchlist, detection_kind
from inspection_robot.model_files import find
from inspection_robot.ros import qos
from inspection_robot.ros.frames import Frames, TransformError
from inspection_robot.ros.images import to_bgr
from inspection_robot.ros.node import InspectionNode, Level, Part, run
from inspection_robot.ros.parameters import parameter

_SEVERITY = {
    Grade.A: Detection.SEVERITY_ALARM,
    Grade.B: Detection.SEVERITY_ALARM,
    Grade.C: Detection.SEVERITY_WARNING,
    Grade.D: Detection.SEVERITY_NOTICE,
}
_RULE_VERSION = "1"


@dataclass(frozen=True)
class DocumentsParameters:
    """How documents are read."""

    rate_hz: float = parameter(4.0, "pictures looked at a second [Hz]", minimum=0.1, maximum=30.0)
    budget_s: float = parameter(0.15, "time for the codes of one picture [s]", minimum=0.01, maximum=2.0)
    read_zones: bool = parameter(True, "look for machine readable zones")
    window_s: float = parameter(3.0, "frames further apart are not of the same sight [s]", minimum=0.2, maximum=30.0)
    advice_after: int = parameter(3, "pictures with an unreadable code before advice is given", minimum=1, maximum=100)
    map_frame: str = parameter("map", "frame of positions")
    bridge_folder: str = parameter("", "where the bridge keeps watch-list and credentials; empty: its own default")


class DocumentsNode(InspectionNode[DocumentsParameters]):
    """Reads codes and zones, votes over frames, asks the watch-list."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("documents", DocumentsParameters, **kwargs)

    def configure(self) -> None:
        """Load the reader, open the evidence store, make publishers."""
        self._reader = MrzReader(find("mrz_reader.onnx")) if self.parameters.read_zones else None
        self._evidence = EvidenceStore(default_folder())
        self._frames = Frames(self)
        self._reads = self.create_publisher(DocumentRead, "documents/reads", qos.EVENT)
        self._detections = self.create_publisher(Detection, "detections", qos.ALARM)
        self.create_subscription(Image, "camera/image_raw", self._on_image, qos.SENSOR)
        self.create_subscription(CameraInfo, "camera/camera_info", self._on_info, qos.SENSOR)
        self.create_subscription(WatchlistStatus, "watchlist/status", self._on_watchlist, qos.STATE)
        self._camera: Camera | None = None
        self._key = secrets.token_bytes(32)
        self._watchlist: Watchlist | None = None
        self._load_watchlist()

    def activate(self) -> None:
        """Begin with no votes."""
        self._votes: FrameVotes[Sight] = FrameVotes(window_s=self.parameters.window_s)
        self._unread = 0
        self._next_s = -np.inf
        self._pictures = 0
        self._worker = self.create_worker("reading", self._read)

    def diagnose(self) -> Iterable[Part]:
        """Camera and watch-list; never what is on it."""
        if self.is_active:
            yield Part("camera", Level.OK if self._pictures else Level.WARNING, f"{self._pictures} pictures looked at")
        held = self._watchlist
        if held is None:
            yield Part("watch-list", Level.WARNING, "none held")
        else:
            usable = held.usable(datetime.now(UTC))
            text = f"version {held.version}, {held.entries} entries, until {held.expires.isoformat()}"
            level = Level.OK if usable and not held.unreadable else Level.ERROR
            yield Part("watch-list", level, text, {"usable": usable, "unreadable names": held.unreadable})

    def _load_watchlist(self) -> None:
        folder = Path(self.parameters.bridge_folder) if self.parameters.bridge_folder else state() / "bridge"
        self._watchlist = None
        try:
            self._key = read_credentials(folder / "credentials.json").watchlist_secret
            held = read_watchlist(folder / "watchlist.json")
        except InputError as error:
            # Not enrolled yet, or damaged: documents are read all the same, nothing can be on a list.
            self.get_logger().info(f"no watch-list: {error}")
            return
        self._watchlist = None if held is None else Watchlist(held, self._key)

    def _on_watchlist(self, message: Any) -> None:
        if self._watchlist is None or message.version != self._watchlist.version:
            self._load_watchlist()

    def _on_info(self, message: Any) -> None:
        if message.k[0] > 0 and message.k[4] > 0:
            self._camera = Camera(message.k[0], message.k[4], message.k[2], message.k[5])

    def _on_image(self, message: Any) -> None:
        if not self.is_active:
            return
        stamp = RclpyTime.from_msg(message.header.stamp).nanoseconds / 1e9
        if stamp < self._next_s and self._next_s - stamp < 10.0:
            return
        self._next_s = stamp + 1.0 / self.parameters.rate_hz
        self._worker.offer(message)

    def _read(self, message: Any) -> None:
        colour = to_bgr(message)
        gray = np.asarray(cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY), np.uint8)
        self._pictures += 1
        stamp = RclpyTime.from_msg(message.header.stamp).nanoseconds / 1e9
        sights = look(gray, self._reader, self.parameters.budget_s)
        for found in agreed(self._votes, sights, stamp):
            self._tell(message.header, colour, found)
        if sights:
            self._unread = 0
            return
        advice = advise(gray)
        self._unread = self._unread + 1 if advice is not Advice.NONE else 0
        if self._unread == self.parameters.advice_after:
            self._reads.publish(DocumentRead(header=message.header, kind="other", advice=advice.value))

    def _tell(self, header: Any, colour: NDArray[np.uint8], found: Agreed[Sight]) -> None:
        sight = found.reading
        hits = self._watchlist.ask(sight.parsed, datetime.now(UTC)) if self._watchlist is not None else []
        exact = next((kind for kind in sight.parsed.identifiers if kind[0] != "name"), None)
        evidence = self._crop(colour, sight) if hits else []
        self._reads.publish(
            DocumentRead(
                header=header, format=sight.format.replace(" ", ""), kind=sight.parsed.kind, valid=sight.valid,
                checks=sight.checks, frames=found.frames, confidence=_confidence(found),
                identifier_hash="" if exact is None else identifier_digest(self._key, *exact),
                watchlist_id=hits[0].entry if hits else "", corners=sight.corners.ravel().tolist(), evidence=evidence,
            )
        )  # fmt: skip
        for hit in hits:
            self._detections.publish(self._detection(header, sight, hit, _confidence(found), evidence))

    def _detection(self, header: Any, sight: Sight, hit: Hit, confidence: float, evidence: list[Any]) -> Any:
        assert self._watchlist is not None
        message = Detection(
            header=header, uuid=UUID(uuid=np.frombuffer(uuid.uuid4().bytes, np.uint8)), kind=detection_kind(hit),
            severity=_SEVERITY[hit.grade], confidence=hit.score * confidence, value=hit.score, unit="1",
            standard_uncertainty=float("nan"), evidence=evidence,
            rule_id="documents.watchlist", rule_version=_RULE_VERSION,
            attributes=[
                KeyValue(key="grade", value=hit.grade.value), KeyValue(key="entry", value=hit.entry),
                KeyValue(key="document", value=sight.parsed.kind), KeyValue(key="advice", value=hit.advice_key),
                KeyValue(key="watchlist_version", value=self._watchlist.version),
            ],
        )  # fmt: skip
        if self._camera is None:
            return message
        try:
            transform = self._frames.lookup(self.parameters.map_frame, header.frame_id)
        except TransformError:
            return message
        position, covariance = place_of(sight.format, sight.corners, self._camera, transform.apply)
        message.pose.header.stamp, message.pose.header.frame_id = header.stamp, self.parameters.map_frame
        message.pose.pose.pose.position.x, message.pose.pose.pose.position.y = position[0], position[1]
        message.pose.pose.pose.orientation.w = 1.0
        full = np.eye(6) * 1e3
        full[:2, :2] = covariance
        message.pose.pose.covariance = full.ravel()
        return message

    def _crop(self, colour: NDArray[np.uint8], sight: Sight) -> list[Any]:
        left, upper = np.floor(sight.corners.min(axis=0) - 20).astype(int).clip(0)
        right, lower = np.ceil(sight.corners.max(axis=0) + 20).astype(int)
        done, png = cv2.imencode(".png", colour[upper:lower, left:right])
        try:
            if not done:
                raise EvidenceError("the picture of the document cannot be encoded")
            stored = self._evidence.put(png.tobytes(), "image/png", "document", "personal")
        except EvidenceError as error:
            self.fault("evidence_lost", str(error), part="evidence")
            return []
        self.clear("evidence_lost")
        return [
            Evidence(
                sha256=stored.sha256, media_type=stored.media_type, size_bytes=stored.size_bytes, role=stored.role,
                retention=stored.retention,
            )
        ]  # fmt: skip


def _confidence(found: Agreed[Sight]) -> float:
    """Probability that the reading is right: what its checks leave open, halved by every further agreeing frame."""
    doubt = 0.01 if found.reading.valid else 0.3
    return float(1.0 - doubt * 0.5 ** (found.frames - 1))


def main() -> None:
    """Run the node."""
    run(DocumentsNode)
