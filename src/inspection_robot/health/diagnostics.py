"""One tree of the diagnostics of all nodes, as diagnostic_aggregator publishes it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARNING, ERROR, STALE = range(4)


@dataclass(frozen=True)
class Status:
    """The newest status of one part: ``node: part``, its level and line, and the caller's own message object."""

    name: str
    level: int
    message: str
    original: object = None


class Aggregate:
    """Newest status of every part, with the age after which it counts as stale [s]."""

    def __init__(self, stale_after_s: float) -> None:
        self._stale_after_s = stale_after_s
        self._newest: dict[str, tuple[float, Status]] = {}

    def update(self, status: Status, now_s: float) -> None:
        """Note a status."""
        self._newest[status.name] = (now_s, status)

    def tree(self, now_s: float) -> list[Status]:
        """Parts named ``/node/part`` and a head ``/node`` for each node with its worst part, sorted by name.

        A part that has not been heard of for long is stale, whatever it said last.
        """
        parts: list[Status] = []
        heads: dict[str, Status] = {}
        for name, (heard_s, status) in self._newest.items():
            node, _, part = name.partition(": ")
            stale = now_s - heard_s > self._stale_after_s
            level = STALE if stale else status.level
            message = f"no report for {now_s - heard_s:.0f} s" if stale else status.message
            parts.append(Status(f"/{node}/{part or 'node'}", level, message, status.original))
            head = heads.get(node)
            if head is None or level > head.level:
                heads[node] = Status(f"/{node}", level, message)
        return sorted([*parts, *heads.values()], key=lambda status: status.name)
