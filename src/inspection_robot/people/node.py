"""The people node: tracks of people and luggage in `map` from lidar and thermal faces."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, PoseWithCovariance, TwistWithCovariance, Vector3
from inspection_interfaces.msg import Person, PersonArray, ScreeningArray
from nav_msgs.msg import OccupancyGrid
from numpy.typing import NDArray
from rclpy.time import Time as RclpyTime
from sensor_msgs.msg import CameraInfo, LaserScan

from inspection_robot.people.background import Background, hidden_behind
from inspection_robot.people.camera_sightings import Lens, sighting_of_face
from inspection_robot.people.luggage import LuggageTies
from inspection_robot.people.scan_clusters import scan_points, sightings_in_scan
from inspection_robot.people.tracking import Sighting, Tracker, TrackingParameters, assign
from inspection_robot.ros import qos
from inspection_robot.ros.frames import Frames, TransformError
from inspection_robot.ros.node import InspectionNode, Level, Part, run
from inspection_robot.ros.parameters import parameter
from inspection_robot.ros.transforms import Transform

ALIAS_LIFE_S = 5.0
RECENT_S = 2.0


@dataclass(frozen=True)
class PeopleParameters:
    """How people are tracked."""

    map_frame: str = parameter("map", "frame of the tracks")
    publish_hz: float = parameter(5.0, "tracks a second [Hz]", minimum=0.5, maximum=30.0)
    maximum_range_m: float = parameter(10.0, "scan returns beyond are not looked at [m]", minimum=1.0, maximum=50.0)
    maximum_unseen_s: float = parameter(6.0, "a track ends after this long unseen [s]", minimum=0.5, maximum=60.0)
    acceleration_m_s2: float = parameter(1.0, "standard deviation of a walker's acceleration", minimum=0.1, maximum=5.0)


class PeopleNode(InspectionNode[PeopleParameters]):
    """Fuses what sensors see of people into tracks."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("people", PeopleParameters, **kwargs)

    def configure(self) -> None:
        """Make the subscriptions."""
        self._frames = Frames(self)
        self._people = self.create_publisher(PersonArray, "people", qos.EVENT)
        self.create_subscription(LaserScan, "scan", self._on_scan, qos.SENSOR)
        self.create_subscription(ScreeningArray, "thermal/screenings", self._on_screenings, qos.EVENT)
        self.create_subscription(CameraInfo, "thermal/camera_info", self._on_thermal_info, qos.SENSOR)
        self.create_subscription(OccupancyGrid, "map", self._on_map, qos.MAP)
        self._background: Background | None = None
        self._thermal_lens: Lens | None = None

    def activate(self) -> None:
        """Begin with no tracks; identities differ from those of every earlier run."""
        p = self.parameters
        settings = TrackingParameters(acceleration_m_s2=p.acceleration_m_s2, maximum_unseen_s=p.maximum_unseen_s)
        self._tracker = Tracker(settings, prefix=f"{secrets.token_hex(3)}-")
        self._ties = LuggageTies()
        self._aliases: dict[str, tuple[str, float]] = {}
        self._scans = self._without_transform = 0
        self.create_timer(1.0 / p.publish_hz, self._publish)

    def diagnose(self) -> Iterable[Part]:
        """Map, transforms and number of tracks."""
        if not self.is_active:
            return
        if self._background is None:
            yield Part("map", Level.WARNING, "no map yet: scans are not used")
        if self._thermal_lens is None:
            yield Part("thermal", Level.WARNING, "no thermal/camera_info yet: faces are not placed")
        values = {"scans": self._scans, "without transform": self._without_transform}
        level = Level.WARNING if self._scans and self._without_transform > self._scans / 2 else Level.OK
        yield Part("tracks", level, f"{len(self._tracker.confirmed())} confirmed", values)

    def _on_map(self, message: Any) -> None:
        info = message.info
        if info.resolution <= 0 or len(message.data) != info.width * info.height:
            self.fault("map_broken", "the map's size does not fit its data", part="map")
            return
        self.clear("map_broken")
        cells = np.frombuffer(message.data, np.int8).reshape(info.height, info.width)
        origin = info.origin.position
        self._background = Background.from_grid(cells, float(info.resolution), (origin.x, origin.y))

    def _on_thermal_info(self, message: Any) -> None:
        if message.k[0] > 0 and message.k[4] > 0:
            self._thermal_lens = Lens(message.k[0], message.k[4], message.k[2], message.k[5])

    def _on_scan(self, message: Any) -> None:
        if not self.is_active or self._background is None:
            return
        transform = self._transform(message.header)
        if transform is None:
            return
        ranges = np.asarray(message.ranges, np.float64)
        points = scan_points(ranges, message.angle_min, message.angle_increment, self.parameters.maximum_range_m)

        def to_map(flat: NDArray[np.float64]) -> NDArray[np.float64]:
            level = np.concatenate([flat, np.zeros((len(flat), 1))], axis=1)
            return transform.apply(level)[:, :2]

        sightings = sightings_in_scan(points, message.angle_increment, to_map, self._background.covers)
        tracks = self._tracker.tracks
        places = np.array([track.position for track in tracks]).reshape(-1, 2)
        behind = hidden_behind(places, transform.translation[:2], to_map(points))
        hidden = [track.track for track, is_hidden in zip(tracks, behind, strict=True) if is_hidden]
        stamp = _seconds(message.header.stamp)
        confirmed = self._tracker.update(sightings, stamp, hidden)
        self._tracker.tie_luggage(self._ties.update(confirmed, stamp))

    def _on_screenings(self, message: Any) -> None:
        if not self.is_active or not message.screenings or self._thermal_lens is None:
            return
        transform = self._transform(message.header)
        if transform is None:
            return
        stamp = _seconds(message.header.stamp)
        seen: list[tuple[str, Sighting]] = []
        for screening in message.screenings:
            box = (screening.box_x, screening.box_y, screening.box_width, screening.box_height)
            found = sighting_of_face(box, screening.distance_m, self._thermal_lens, transform.apply, "thermal")
            if found is not None:
                seen.append((f"thermal/{screening.track}", found))
        tracks = self._tracker.update([sighting for _, sighting in seen], stamp, self._unseen_by_camera())
        for number, index in assign(tracks, [sighting for _, sighting in seen]):
            self._aliases[seen[index][0]] = (tracks[number].track, stamp)

    def _unseen_by_camera(self) -> list[str]:
        # The camera sees a part of the surroundings only: nobody it does not show is missed.
        return [track.track for track in self._tracker.tracks]

    def _transform(self, header: Any) -> Transform | None:
        self._scans += 1
        try:
            return self._frames.lookup(self.parameters.map_frame, header.frame_id, header.stamp)
        except TransformError:
            try:
                return self._frames.lookup(self.parameters.map_frame, header.frame_id)
            except TransformError:
                self._without_transform += 1
                return None

    def _publish(self) -> None:
        now = self.get_clock().now()
        now_s = now.nanoseconds / 1e9
        self._aliases = {name: entry for name, entry in self._aliases.items() if now_s - entry[1] < ALIAS_LIFE_S}
        aliases: dict[str, list[str]] = {}
        for name, (owner, _) in self._aliases.items():
            aliases.setdefault(owner, []).append(name)
        message = PersonArray()
        message.header.stamp = now.to_msg()
        message.header.frame_id = self.parameters.map_frame
        for track in self._tracker.confirmed():
            pose, twist = PoseWithCovariance(), TwistWithCovariance()
            pose.pose.position = Point(x=float(track.state[0]), y=float(track.state[1]), z=0.0)
            yaw = math.atan2(track.state[3], track.state[2])
            pose.pose.orientation.z, pose.pose.orientation.w = math.sin(yaw / 2), math.cos(yaw / 2)
            pose.covariance = _covariance(track.covariance[:2, :2])
            twist.twist.linear = Vector3(x=float(track.state[2]), y=float(track.state[3]), z=0.0)
            twist.covariance = _covariance(track.covariance[2:, 2:])
            message.people.append(
                Person(
                    track=track.track, kind=int(track.kind), existence=track.existence, pose=pose, velocity=twist,
                    last_seen=_stamp(track.seen_s), carrier=track.carrier, height_m=track.height_m,
                    sources=[source for source, seen in track.sources if now_s - seen < RECENT_S],
                    aliases=sorted(aliases.get(track.track, [])),
                )
            )  # fmt: skip
        self._people.publish(message)


def _covariance(block: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.zeros((6, 6))
    matrix[:2, :2] = block
    matrix[2, 2] = matrix[3, 3] = matrix[4, 4] = matrix[5, 5] = 1e3  # not measured
    return matrix.ravel()


def _seconds(stamp: Any) -> float:
    return float(RclpyTime.from_msg(stamp).nanoseconds / 1e9)


def _stamp(seconds: float) -> Time:
    whole = math.floor(seconds)
    return Time(sec=whole, nanosec=int((seconds - whole) * 1e9))


def main() -> None:
    """Run the node."""
    run(PeopleNode)
