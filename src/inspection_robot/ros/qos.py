"""Quality of service by purpose. A node names the purpose, never the policies.

A reliable publisher serves best-effort subscribers and a transient-local publisher serves volatile ones, not the other
way round; hence publishers offer the most that the purpose needs.
"""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def _profile(depth: int, reliability: ReliabilityPolicy, durability: DurabilityPolicy) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability, durability=durability
    )  # fmt: skip


SENSOR = _profile(5, ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)
"""Pictures, scans, odometry: the newest counts, a lost one does not."""

EVENT = _profile(50, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
"""Readings, utterances, document reads, heartbeats: each counts while somebody listens, none afterwards."""

STATE = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
"""What holds until it changes (health, patrol state, robot description): late joiners get the last value."""

MAP = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
"""Maps and map layers, as Nav2's map server offers them."""

ALARM = _profile(200, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
"""Detections, incidents, faults: none may be lost. Transient local, so that a bridge that was killed and restarted
receives the last 200 of each publisher again; whoever subscribes must therefore recognise a uuid it has seen (the
outbox and the center do)."""

COMMAND = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
"""Velocities and other set-points: only the newest may ever be acted upon, an old one never."""
