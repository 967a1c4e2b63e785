"""A buffer of frame transforms with tf2's lookup semantics, for where tf2_ros is absent. Pure; no ROS.

Transforms form a forest of frames: each child has one parent. A moving edge keeps its last ten seconds; a static edge
holds for all times. A lookup walks from both frames to their common ancestor.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from dataclasses import dataclass, field

from inspection_robot.ros.transforms import IDENTITY, Transform, interpolate

NS = 1_000_000_000
CACHE_NS = 10 * NS


class TransformError(Exception):
    """A transform that cannot be given. ``later`` tells whether waiting may help."""

    later = True


class UnknownFrameError(TransformError):
    """A frame that nobody has published (tf2: LookupException)."""


class NotConnectedError(TransformError):
    """Two frames without a common ancestor (tf2: ConnectivityException)."""


class OutsideTimeError(TransformError):
    """A time before the oldest or after the newest transform of an edge (tf2: ExtrapolationException)."""

    def __init__(self, text: str, later: bool) -> None:
        super().__init__(text)
        self.later = later


@dataclass
class _Edge:
    parent: str
    static: bool
    stamps: list[int] = field(default_factory=list)
    transforms: dict[int, Transform] = field(default_factory=dict)

    def insert(self, stamp_ns: int, transform: Transform) -> None:
        if stamp_ns not in self.transforms:
            insort(self.stamps, stamp_ns)
        self.transforms[stamp_ns] = transform
        keep_from = bisect_left(self.stamps, self.stamps[-1] - CACHE_NS)
        for old in self.stamps[:keep_from]:
            del self.transforms[old]
        del self.stamps[:keep_from]

    def at(self, child: str, stamp_ns: int) -> Transform:
        if self.static:
            return self.transforms[0]
        exact = self.transforms.get(stamp_ns)
        if exact is not None:
            return exact
        position = bisect_left(self.stamps, stamp_ns)
        edge = f"{self.parent} → {child}"
        if position == 0:
            gap = (self.stamps[0] - stamp_ns) / NS
            raise OutsideTimeError(f"{edge}: asked for {gap:.3f} s before the oldest transform", later=False)
        if position == len(self.stamps):
            gap = (stamp_ns - self.stamps[-1]) / NS
            raise OutsideTimeError(f"{edge}: asked for {gap:.3f} s after the newest transform", later=True)
        before, after = self.stamps[position - 1], self.stamps[position]
        ratio = (stamp_ns - before) / (after - before)
        return interpolate(self.transforms[before], self.transforms[after], ratio)


class TransformBuffer:
    """Stores transforms and looks them up. Thread-safe.

    Frame names are compared without a leading slash, as tf2 does since ROS 2.
    """

    def __init__(self) -> None:
        self._edges: dict[str, _Edge] = {}
        self._lock = threading.Lock()

    def insert(self, parent: str, child: str, stamp_ns: int, transform: Transform, *, static: bool = False) -> None:
        """Store the pose of ``child`` in ``parent`` at a time.

        Raises:
            ValueError: when a name is empty, both are the same, or the edge would close a circle.
        """
        parent, child = parent.lstrip("/"), child.lstrip("/")
        if not parent or not child or parent == child:
            raise ValueError(f"transform from {parent!r} to {child!r}")
        with self._lock:
            if child in self._ancestors(parent):
                raise ValueError(f"transform from {parent!r} to {child!r} closes a circle")
            edge = self._edges.get(child)
            if edge is None or edge.parent != parent or edge.static != static:
                edge = self._edges[child] = _Edge(parent, static)
            edge.insert(0 if static else stamp_ns, transform)

    def lookup(self, target: str, source: str, stamp_ns: int | None = None) -> Transform:
        """Pose of ``source`` in ``target``: what takes points of ``source`` into ``target``.

        Args:
            target: frame to express in.
            source: frame of the data.
            stamp_ns: time; None for the newest time at which every edge on the way is known.

        Raises:
            UnknownFrameError: when a frame was never published.
            NotConnectedError: when there is no way between them.
            OutsideTimeError: when an edge on the way does not cover the time.
        """
        target, source = target.lstrip("/"), source.lstrip("/")
        with self._lock:
            up_source, up_target = self._way(target, source)
            if stamp_ns is None:
                stamp_ns = self._latest_common(up_source + up_target)
            return self._climb(up_target, stamp_ns).inverse().compose(self._climb(up_source, stamp_ns))

    def latest_common_ns(self, target: str, source: str) -> int:
        """Newest time at which every edge between two frames is known; 0 when all are static."""
        target, source = target.lstrip("/"), source.lstrip("/")
        with self._lock:
            up_source, up_target = self._way(target, source)
            return self._latest_common(up_source + up_target)

    def clear(self) -> None:
        """Forget moving transforms: simulated time jumped back, or a recording started again."""
        with self._lock:
            self._edges = {child: edge for child, edge in self._edges.items() if edge.static}

    def _ancestors(self, frame: str) -> list[str]:
        found = [frame]
        while (edge := self._edges.get(found[-1])) is not None:
            found.append(edge.parent)
        return found

    def _way(self, target: str, source: str) -> tuple[list[str], list[str]]:
        """Children of the edges from ``source`` and from ``target`` up to their common ancestor."""
        frames = {edge.parent for edge in self._edges.values()} | self._edges.keys()
        for frame in (target, source):
            if frame not in frames and target != source:
                raise UnknownFrameError(f"frame {frame!r} does not exist")
        from_source, from_target = self._ancestors(source), self._ancestors(target)
        common = next((frame for frame in from_source if frame in from_target), None)
        if common is None:
            raise NotConnectedError(f"frames {target!r} and {source!r} are not connected")
        return from_source[: from_source.index(common)], from_target[: from_target.index(common)]

    def _latest_common(self, children: list[str]) -> int:
        moving = [edge for child in children if not (edge := self._edges[child]).static]
        return min((edge.stamps[-1] for edge in moving), default=0)

    def _climb(self, children: list[str], stamp_ns: int) -> Transform:
        """Pose of the first child in the parent of the last."""
        total = IDENTITY
        for child in children:
            total = self._edges[child].at(child, stamp_ns).compose(total)
        return total
