"""The bridge node: what the robot found goes to the center, what the center says goes to the robot. Wiring only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from inspection_interfaces.msg import (
    Announcement,
    BridgeStatus,
    Detection,
    DriveState,
    Fault,
    Incident,
    Order,
    OrderProgress,
    OrderStep,
    PatrolState,
    PersonArray,
    RobotHealth,
    ScreeningArray,
    WatchlistStatus,
)
from inspection_interfaces.srv import DecideIncident
from nav_msgs.msg import OccupancyGrid
from sensor_msgs.msg import Image
from unique_identifier_msgs.msg import UUID

from inspection_contract import commands as contract
from inspection_contract.client import CenterError
from inspection_contract.errors import InputError
from inspection_contract.events import RobotStatus
from inspection_contract.fields import Orientation, Pose, Position
from inspection_contract.resources import state
from inspection_robot.bridge import conversion
from inspection_robot.bridge.commands import CommandRefused
from inspection_robot.bridge.disk import DiskPolicy
from inspection_robot.bridge.enrol_command import credentials_path
from inspection_robot.bridge.layers import LayerSchedule, to_layer
from inspection_robot.bridge.live import LiveRequests, to_jpeg
from inspection_robot.bridge.orders import apply_knowledge, apply_rules, apply_watchlist, read_watchlist, rules_version
from inspection_robot.bridge.outbox import OutgoingEvent
from inspection_robot.bridge.service import Bridge, BridgeSettings
from inspection_robot.evidence import default_folder
from inspection_robot.ros import qos
from inspection_robot.ros.frames import Frames, TransformError
from inspection_robot.ros.images import to_bgr
from inspection_robot.ros.node import InspectionNode, Level, Part, Severity, run
from inspection_robot.ros.parameters import parameter

_SUMMARY_S = 60.0
_DECISION_WAIT_S = 5.0
_LAYERS = {"map": "map", "radiation": "radiation/field"}
_LAYER_PERIOD_S = 5.0
_LAYER_AGAIN_S = 300.0
_CAMERAS = {"thermal": "thermal/overlay", "rgb": "camera/image_raw"}


@dataclass(frozen=True)
class BridgeParameters:
    """Parameters of the bridge node."""

    robot_name: str = parameter("robot_1", "This robot's name at the center", read_only=True)
    credentials: str = parameter(
        "", "File written by `./robot enrol`; empty: var/bridge/credentials.json", read_only=True
    )
    folder: str = parameter("", "Folder of the outbox; empty: var/bridge", read_only=True)
    disk_limit_mb: int = parameter(
        4096, "Disk for outbox and evidence together [MB]; evidence is thinned first, findings never",
        minimum=16, maximum=10_000_000, read_only=True,
    )  # fmt: skip
    sent_evidence_h: float = parameter(
        24.0, "Evidence the center has stays on the robot this long [h]", minimum=0.0, maximum=8760.0, read_only=True
    )
    retry_maximum_s: float = parameter(
        5.0, "Longest pause between attempts to reach the center [s]", minimum=0.1, maximum=600.0, read_only=True
    )
    status_interval_s: float = parameter(
        1.0, "Time between reports of the robot's state [s]", minimum=0.2, maximum=60.0, read_only=True
    )
    certificate: str = parameter("", "Client certificate (PEM) where the center demands one", read_only=True)
    private_key: str = parameter("", "Key of the client certificate (PEM)", read_only=True)
    authority: str = parameter("", "Certificate authority of the center (PEM); empty: the system's", read_only=True)
    map_frame: str = parameter("map", "Frame in which the robot's place is told", read_only=True)
    base_frame: str = parameter("base_link", "Frame of the robot itself", read_only=True)


class BridgeNode(InspectionNode[BridgeParameters]):
    """Carries findings up and commands down."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("bridge", BridgeParameters, **kwargs)
        self._bridge: Bridge | None = None
        self._latest: dict[str, Any] = {}
        self._screened: dict[str, tuple[bool, bool]] = {}
        self._screened_since = datetime.now(UTC)
        self._live = LiveRequests()
        self._watched: dict[str, Any] = {}
        self._place_fault = "not looked yet"

    # Lifecycle.

    def configure(self) -> None:
        """Open the outbox and listen: findings are kept from here on, whether the node is active or not."""
        given = self.parameters
        self._folder = Path(given.folder) if given.folder else state() / "bridge"
        self._bridge = Bridge(
            BridgeSettings(
                robot=given.robot_name,
                outbox=self._folder / "outbox.db",
                evidence=default_folder(),
                credentials=Path(given.credentials) if given.credentials else credentials_path(),
                disk=DiskPolicy(given.disk_limit_mb * 2**20, given.sent_evidence_h * 3600.0),
                retry_maximum_s=given.retry_maximum_s,
                status_interval_s=given.status_interval_s,
                certificate=(Path(given.certificate), Path(given.private_key)) if given.certificate else None,
                authority=Path(given.authority) if given.authority else None,
            ),
            self._apply,
            self._robot_status,
        )
        self._status = self.create_publisher(BridgeStatus, "bridge/status", qos.STATE)
        self._orders = self.create_publisher(Order, "orders", qos.ALARM)
        self._announcements = self.create_publisher(Announcement, "announcements", qos.ALARM)
        self._watchlist = self.create_publisher(WatchlistStatus, "watchlist/status", qos.STATE)
        self._decide = self.create_client(DecideIncident, "decide_incident")
        for message, topic, convert in (
            (Detection, "detections", conversion.detection),
            (Incident, "incidents", conversion.incident),
            (Fault, "faults", conversion.fault),
            (OrderProgress, "order_progress", conversion.order_progress),
        ):
            self.create_subscription(message, topic, self._keeper(convert), qos.ALARM)
        self.create_subscription(ScreeningArray, "thermal/screenings", self._on_screenings, qos.EVENT)
        for message, topic, profile in (
            (RobotHealth, "health", qos.STATE),
            (PatrolState, "patrol/state", qos.STATE),
            (DriveState, "drive/state", qos.STATE),
            (PersonArray, "people", qos.SENSOR),
        ):
            self.create_subscription(message, topic, self._rememberer(topic), profile)
        self._frames = Frames(self)
        for layer, topic in _LAYERS.items():
            self.create_subscription(OccupancyGrid, topic, self._rememberer(f"layer {layer}"), qos.MAP)
        self._bridge.start()

    def activate(self) -> None:
        """Report the bridge's state and the people screened."""
        self.create_timer(1.0, self._publish_status)
        self.create_timer(_SUMMARY_S, self._summarise)
        self._pictures = self.create_worker("live", self._send_picture)
        self.create_timer(0.5, self._watch_cameras)
        self._layer_schedule = LayerSchedule(_LAYER_PERIOD_S, _LAYER_AGAIN_S)
        self._layers = self.create_worker("layers", self._send_layer)
        self.create_timer(1.0, self._offer_layers)
        self._publish_watchlist()

    def deactivate(self) -> None:
        """Stop watching."""
        self._watched = {}

    def cleanup(self) -> None:
        """Commit what waits and close."""
        if self._bridge is not None:
            self._summarise()
            self._bridge.stop()
            self._bridge = None

    def diagnose(self) -> Iterable[Part]:
        """The link and the outbox."""
        if self._bridge is None:
            return
        report = self._bridge.report()
        yield Part(
            "center",
            Level.OK if report.link.connected else Level.WARNING,
            "connected" if report.link.connected else report.link.error,
            {"sent": report.link.sent, "clock offset [s]": report.link.clock_offset_s},
        )
        yield Part("place", Level.WARNING if self._place_fault else Level.OK, self._place_fault or "known")
        yield Part(
            "outbox",
            Level.ERROR if report.fault or report.given_up else Level.OK,
            report.fault
            or (f"{report.given_up} findings had no room" if report.given_up else f"{report.events} waiting"),
            {
                "evidence waiting": report.evidence,
                "disk [byte]": report.disk_bytes,
                "oldest [s]": report.oldest_unsent_s,
            },
        )

    # Up.

    def _keeper(self, convert: Callable[[Any], OutgoingEvent]) -> Callable[[Any], None]:
        def keep(message: Any) -> None:
            try:
                event = convert(message)
            except InputError as error:
                self.fault("finding_malformed", str(error), Severity.ERROR, "outbox")
                return
            if self._bridge is not None:
                self._bridge.offer(event)

        keep.__name__ = f"keep_{convert.__name__}"
        return keep

    def _rememberer(self, topic: str) -> Callable[[Any], None]:
        def remember(message: Any) -> None:
            self._latest[topic] = message

        return remember

    def _on_screenings(self, message: Any) -> None:
        for person in message.screenings:
            read, alarm = self._screened.get(person.track, (False, False))
            self._screened[person.track] = (read or person.status == 0, alarm or person.alarm)

    def _summarise(self) -> None:
        now = datetime.now(UTC)
        event = conversion.screening_summary(self._screened_since, now, self._screened)
        if event is not None and self._bridge is not None:
            self._bridge.offer(event)
        self._screened = {}
        self._screened_since = now

    def _robot_status(self) -> RobotStatus:
        health, patrol = self._latest.get("health"), self._latest.get("patrol/state")
        drive, people = self._latest.get("drive/state"), self._latest.get("people")
        return RobotStatus(
            stamp=datetime.now(UTC),
            ready=bool(health and health.ready),
            battery=patrol.battery if patrol and 0.0 <= patrol.battery <= 1.0 else None,
            pose=self._pose(),
            patrol_state=patrol.state if patrol else "",
            emergency_stop=bool(drive and drive.emergency_stop),
            speed_limit_m_s=drive.speed_limit if drive else None,
            nodes=tuple(conversion.node_status(node) for node in health.nodes) if health else (),
            people=tuple(conversion.tracked(person) for person in people.people[:500]) if people else (),
            watchlist_version=self._held_watchlist(),
            rules_version=rules_version(self._folder / "rules.json"),
        )

    def _pose(self) -> Pose | None:
        given = self.parameters
        try:
            place = self._frames.lookup(given.map_frame, given.base_frame)
        except TransformError as error:
            self._place_fault = str(error)
            return None  # Not localised: a place in another frame would be drawn in the wrong spot.
        self._place_fault = ""
        x, y, z = map(float, place.translation)
        turn = dict(zip("xyzw", map(float, place.rotation), strict=True))
        return Pose(frame_id=given.map_frame, position=Position(x=x, y=y, z=z), orientation=Orientation(**turn))

    def _publish_status(self) -> None:
        if self._bridge is None:
            return
        report = self._bridge.report()
        message = BridgeStatus(
            connected=report.link.connected,
            outbox_findings=report.events,
            outbox_evidence=report.evidence,
            outbox_bytes=report.disk_bytes,
            oldest_unsent_s=report.oldest_unsent_s,
            sent=report.link.sent,
            last_sequence=report.last_sequence,
            watchlist_version=self._held_watchlist(),
            rules_version=rules_version(self._folder / "rules.json"),
            last_error="" if report.link.connected else report.link.error,
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._status.publish(message)
        if report.fault:
            self.fault("outbox_full", report.fault, Severity.ERROR, "outbox")
        else:
            self.clear("outbox_full")

    # Down. These run on the receiver's thread; publishing is safe from any thread.

    def _apply(self, body: contract.Command, command: contract.SignedCommand) -> None:
        if not self.is_active:
            raise CommandRefused("the robot is not ready")
        if isinstance(body, contract.Order):
            self._orders.publish(self._order(body, command))
        elif isinstance(body, contract.Announcement):
            message = Announcement(
                announcement_id=str(body.announcement_id),
                priority=int(body.priority),
                text_zh=body.text_zh,
                text_en=body.text_en,
                expires=_to_stamp(command.expires),
            )
            message.header.stamp = self.get_clock().now().to_msg()
            self._announcements.publish(message)
        elif isinstance(body, contract.IncidentDecision):
            self._decide_incident(body)
        elif isinstance(body, contract.WatchlistUpdate):
            apply_watchlist(self._folder / "watchlist.json", body, command.issued)
            self._publish_watchlist()
        elif isinstance(body, contract.RulesUpdate):
            apply_rules(self._folder / "rules.json", body)
        elif isinstance(body, contract.KnowledgeUpdate):
            apply_knowledge(body)
        elif isinstance(body, contract.LiveViewRequest):
            self._live.ask(body, time.monotonic())
        else:
            raise CommandRefused(f"this robot cannot carry out {command.type}")

    def _order(self, body: contract.Order, command: contract.SignedCommand) -> Any:
        message = Order(
            order_id=body.order_id,
            revision=body.revision,
            kind=body.kind,
            expires=_to_stamp(command.expires),
            place_name=body.place_name,
            officer=body.officer,
            steps=[
                OrderStep(
                    id=step.id,
                    kind=step.kind,
                    instruction_key=step.instruction_key,
                    required=step.required,
                    state="open",
                )
                for step in body.steps
            ],
        )
        message.header.stamp = self.get_clock().now().to_msg()
        if body.place is not None:
            message.place.header.frame_id = body.place.frame_id
            message.place.pose.position.x = body.place.position.x
            message.place.pose.position.y = body.place.position.y
            message.place.pose.orientation.z = body.place.orientation.z
            message.place.pose.orientation.w = body.place.orientation.w
        return message

    def _decide_incident(self, body: contract.IncidentDecision) -> None:
        if not self._decide.service_is_ready():
            raise CommandRefused("interception does not answer")
        request = DecideIncident.Request(
            incident=UUID(uuid=list(body.incident.bytes)),
            decision=int(body.decision),
            officer=body.officer,
            reason=body.reason,
        )
        done = threading.Event()
        future = self._decide.call_async(request)
        future.add_done_callback(lambda _: done.set())
        if not done.wait(_DECISION_WAIT_S):
            raise CommandRefused("interception did not answer in time")
        answer = future.result()
        if not answer.accepted:
            raise CommandRefused(answer.message or f"the incident is {answer.state}")

    def _watch_cameras(self) -> None:
        """Subscribe to the cameras somebody wants to see, and to no others."""
        wanted = self._live.wanted(time.monotonic())
        for camera in wanted - self._watched.keys():
            self._watched[camera] = self.create_subscription(
                Image, _CAMERAS[camera], self._picture_taker(camera), qos.SENSOR
            )
        for camera in self._watched.keys() - wanted:
            self.destroy_subscription(self._watched.pop(camera))

    def _picture_taker(self, camera: str) -> Callable[[Any], None]:
        def take(message: Any) -> None:
            if self._live.due(camera, time.monotonic()):
                self._pictures.offer((camera, message))

        take.__name__ = f"take_{camera}_picture"
        return take

    def _send_picture(self, shown: tuple[str, Any]) -> None:
        camera, message = shown
        client = self._bridge.client() if self._bridge is not None else None
        if client is not None:
            with suppress(CenterError):  # A picture that does not get through is followed by the next.
                client.put_live_picture(camera, to_jpeg(to_bgr(message)))

    def _offer_layers(self) -> None:
        for layer in _LAYERS:
            message = self._latest.get(f"layer {layer}")
            if message is not None and self._layer_schedule.due(layer, time.monotonic()):
                self._layers.offer((layer, message))

    def _send_layer(self, shown: tuple[str, Any]) -> None:
        name, message = shown
        client = self._bridge.client() if self._bridge is not None else None
        info = message.info
        if client is None or len(message.data) != info.width * info.height:
            return
        cells = np.frombuffer(message.data, np.int8).reshape(info.height, info.width)
        origin = info.origin
        try:
            layer = to_layer(
                name, cells, float(info.resolution), (origin.position.x, origin.position.y), origin.orientation.z
            )
        except InputError as error:
            self.get_logger().warning(str(error))
            return
        if self._layer_schedule.news(layer, time.monotonic()):
            with suppress(CenterError):  # Tried again at the next change or with the next second.
                client.put_layer(layer.name, layer.png, layer.resolution_m, layer.west_m, layer.south_m)
                self._layer_schedule.sent(layer, time.monotonic())

    def _held_watchlist(self) -> str:
        held = self._latest.get("held watch-list")
        return held.version if held is not None else ""

    def _publish_watchlist(self) -> None:
        held = read_watchlist(self._folder / "watchlist.json")
        if held is None:
            return
        self._latest["held watch-list"] = held
        message = WatchlistStatus(
            version=held.version,
            entries=len(held.entries),
            issued=_to_stamp(held.issued),
            expires=_to_stamp(held.expires),
            usable=datetime.now(UTC) < held.expires,
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._watchlist.publish(message)


def _to_stamp(moment: datetime) -> Any:
    seconds = moment.timestamp()
    return Time(sec=int(seconds), nanosec=int(seconds % 1.0 * 1e9))


def main() -> None:
    """Run the node."""
    run(BridgeNode)


if __name__ == "__main__":
    main()
