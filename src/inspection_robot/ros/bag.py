"""Records every topic of a graph to MCAP and plays sensor topics back, without decoding a message."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from inspection_contract.errors import InputError
from inspection_robot.recording.definitions import from_share, full_definition
from inspection_robot.recording.mcap_file import McapFile, Stored

DISCOVERY_PERIOD_S = 1.0


def message_class(name: str) -> Any:
    """Return the Python class of ``pkg/msg/Name``.

    Raises:
        ModuleNotFoundError: the package is not installed.
        AttributeError: it has no such message.
    """
    package, _, message = name.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), message)


class Recorder:
    """Subscribes to every topic it sees, in one namespace or everywhere.

    Args:
        file: where messages go.
        wanted: tells which topics are recorded.
    """

    def __init__(self, file: McapFile, wanted: Callable[[str], bool]) -> None:
        self._file = file
        self._wanted = wanted
        self._read = from_share(
            [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(":") if prefix]
        )
        self._seen: set[str] = set()
        self.refused: dict[str, str] = {}
        rclpy.init()
        self._node = Node("recorder")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)

    @property
    def topics(self) -> int:
        """Number of topics being recorded."""
        return len(self._seen) - len(self.refused)

    def run(self, until: Callable[[], bool]) -> None:
        """Record until told to end."""
        next_look = 0.0
        while not until():
            if time.monotonic() >= next_look:
                self._look()
                next_look = time.monotonic() + DISCOVERY_PERIOD_S
            self._executor.spin_once(timeout_sec=0.1)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown()

    def _look(self) -> None:
        """Subscribe to topics that have appeared."""
        for topic, types in self._node.get_topic_names_and_types():
            if (
                topic in self._seen
                or "/_action/" in topic
                or not self._wanted(topic)
                or not self._node.get_publishers_info_by_topic(topic)
            ):
                continue
            self._seen.add(topic)
            try:
                self._file.add_topic(topic, types[0], full_definition(types[0], self._read))
                kind = message_class(types[0])
            except (InputError, ModuleNotFoundError, AttributeError) as error:
                self.refused[topic] = str(error)
                continue
            self._node.create_subscription(kind, topic, self._writer(topic), self._offered(topic), raw=True)

    def _writer(self, topic: str) -> Callable[[bytes], None]:
        def write(data: bytes) -> None:
            self._file.write(topic, time.time_ns(), bytes(data))

        return write

    def _offered(self, topic: str) -> QoSProfile:
        """Return a profile that every publisher of a topic can serve: the strictest that all of them offer."""
        offers = [info.qos_profile for info in self._node.get_publishers_info_by_topic(topic)]
        reliable = all(offer.reliability == ReliabilityPolicy.RELIABLE for offer in offers)
        latched = all(offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers)
        return QoSProfile(
            depth=200,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )


class Player:
    """Publishes stored messages at the pace they came.

    Args:
        topics: (topic, type) of everything that will be played.
    """

    LATCHED = ("map", "tf_static", "robot_description")

    def __init__(self, topics: Iterable[tuple[str, str]]) -> None:
        rclpy.init()
        self._node = Node("player")
        self._publishers: dict[str, Any] = {}
        for topic, type_name in topics:
            try:
                kind = message_class(type_name)
            except (ModuleNotFoundError, AttributeError) as error:
                raise InputError(topic, f"type {type_name} is not installed ({error})") from None
            latched = topic.rsplit("/", 1)[-1] in self.LATCHED
            profile = QoSProfile(
                depth=1 if latched else 50,
                durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
            )
            self._publishers[topic] = self._node.create_publisher(kind, topic, profile)

    def play(self, stored: Iterable[Stored], rate: float, until: Callable[[], bool]) -> int:
        """Publish in order at ``rate`` times the recorded pace and return how many messages were sent."""
        began, first_ns, sent = time.monotonic(), None, 0
        for message in stored:
            first_ns = message.time_ns if first_ns is None else first_ns
            due = began + (message.time_ns - first_ns) * 1e-9 / rate
            while (wait := due - time.monotonic()) > 0 and not until():
                time.sleep(min(wait, 0.1))
            if until():
                break
            self._publishers[message.topic].publish(message.data)
            sent += 1
        return sent

    def close(self) -> None:
        """Leave the graph."""
        self._node.destroy_node()
        rclpy.try_shutdown()
