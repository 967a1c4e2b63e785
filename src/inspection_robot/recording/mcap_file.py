"""MCAP files of serialised ROS 2 messages: written as they come, read back in order. Nothing of ROS here."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mcap.exceptions import McapError
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

from inspection_contract.errors import InputError

_BROKEN = (McapError, struct.error, EOFError, ValueError, KeyError, IndexError, RuntimeError, OverflowError)
"""What the library raises over bytes that are cut off or no MCAP."""


@dataclass(frozen=True)
class Stored:
    """One message: topic, type ``pkg/msg/Name``, time it was received [ns], CDR bytes."""

    topic: str
    type: str
    time_ns: int
    data: bytes


@dataclass(frozen=True)
class TopicSummary:
    """One topic of a file: name, type, number of messages."""

    topic: str
    type: str
    messages: int


class McapFile:
    """Writes messages of any topic; the file is complete when the context is left."""

    def __init__(self, path: Path) -> None:
        """Create the file.

        Raises:
            InputError: it cannot be created, or exists already.
        """
        try:
            self._file = path.open("xb")
        except OSError as error:
            raise InputError(path, f"cannot be created: {error.strerror}") from None
        self._writer = Writer(self._file, compression=CompressionType.LZ4)
        self._writer.start(profile="ros2", library="inspection_robot")
        self._channels: dict[str, int] = {}
        self.messages = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.closing(self._file):
            self._writer.finish()  # type: ignore[no-untyped-call]  # the library declares no types there

    def add_topic(self, topic: str, type_name: str, definition: str) -> None:
        """Announce a topic; a second time it is ignored."""
        if topic in self._channels:
            return
        schema = self._writer.register_schema(type_name, "ros2msg", definition.encode("utf-8"))
        self._channels[topic] = self._writer.register_channel(topic, "cdr", schema)

    def write(self, topic: str, time_ns: int, data: bytes) -> None:
        """Append a message of an announced topic."""
        self._writer.add_message(self._channels[topic], log_time=time_ns, data=data, publish_time=time_ns)
        self.messages += 1


def summarise(path: Path) -> tuple[list[TopicSummary], float]:
    """Return the topics of a file and its length [s].

    Raises:
        InputError: the file is missing, no MCAP of ROS 2 messages, or cut off.
    """
    with _opened(path) as reader:
        summary = reader.get_summary()
        if summary is None or summary.statistics is None:
            raise InputError(path, "has no summary: the recording was cut off (mcap recover mends it)")
        counts = summary.statistics.channel_message_counts
        topics = [
            TopicSummary(channel.topic, summary.schemas[channel.schema_id].name, counts.get(number, 0))
            for number, channel in sorted(summary.channels.items())
            if channel.message_encoding == "cdr" and channel.schema_id in summary.schemas
        ]  # fmt: skip
        if not topics:
            raise InputError(path, "holds no ROS 2 messages")
        length_ns = summary.statistics.message_end_time - summary.statistics.message_start_time
        return topics, length_ns * 1e-9


def messages(path: Path, topics: list[str]) -> Iterator[Stored]:
    """Yield the messages of some topics in the order they were received.

    Raises:
        InputError: as :func:`summarise`.
    """
    with _opened(path) as reader:
        for schema, channel, message in reader.iter_messages(topics=topics):
            if schema is not None:
                yield Stored(channel.topic, schema.name, message.log_time, message.data)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb") as file:
            yield make_reader(file, validate_crcs=True)
    except OSError as error:
        raise InputError(path, error.strerror or str(error)) from None
    except _BROKEN as error:
        raise InputError(path, f"no readable MCAP: {error or type(error).__name__}") from None
