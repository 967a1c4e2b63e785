"""The patrol's branch that follows a radiation alarm: stay and count, look again from elsewhere, then go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from py_trees.behaviour import Behaviour
from py_trees.common import Status
from py_trees.composites import Sequence

if TYPE_CHECKING:
    from inspection_robot.patrol.mission import Mission


def investigation(mission: Mission) -> Sequence:
    """Return the branch; it fails, so that the patrol goes on, while there is nothing to investigate."""
    return Sequence(
        "investigate",
        memory=True,
        children=[
            Alarmed("alarmed", mission),
            Count("count", mission),
            LookAgain("look again", mission),
            Count("count again", mission),
            Investigated("investigated", mission),
        ],
    )


class _Step(Behaviour):  # type: ignore[misc]  # py_trees is not analysed
    def __init__(self, name: str, mission: Mission) -> None:
        super().__init__(name)
        self.mission = mission


class Alarmed(_Step):
    """SUCCESS when there is an alarm that was not looked into a moment ago."""

    def update(self) -> Status:
        """Look."""
        situation = self.mission.situation
        new = situation.now_s >= self.mission.investigated_until_s
        return Status.SUCCESS if situation.radiation_alarm and new else Status.FAILURE


class Count(_Step):
    """Stand still for a while: counts add up."""

    def initialise(self) -> None:
        """Note when to go on."""
        self._until_s = self.mission.situation.now_s + self.mission.rules.count_s

    def update(self) -> Status:
        """Wait."""
        if self.mission.situation.now_s >= self._until_s:
            return Status.SUCCESS
        self.mission.tell("dwelling", "radiation: counting")
        return Status.RUNNING


class LookAgain(_Step):
    """Drive to the suggested viewpoint. Without one, or where it cannot be reached, it is left out: always SUCCESS."""

    def initialise(self) -> None:
        """Set out."""
        place = self.mission.situation.viewpoint
        self._driving = place is not None
        if place is not None:
            self.mission.navigator.go(place[0], place[1], 0.0)
            self.mission.tell("driving", "radiation: looking again from another place")

    def update(self) -> Status:
        """Watch the journey."""
        if self._driving and self.mission.navigator.travel().state == "driving":
            return Status.RUNNING
        return Status.SUCCESS

    def terminate(self, new_status: Status) -> None:
        """Stop driving when something more important came up."""
        if new_status is Status.INVALID and self.status is Status.RUNNING:
            self.mission.navigator.cancel()


class Investigated(_Step):
    """Note that this was looked into, and let the patrol go on for a while; always SUCCESS."""

    def update(self) -> Status:
        """Note."""
        mission = self.mission
        mission.investigated_until_s = mission.situation.now_s + mission.rules.investigation_pause_s
        return Status.SUCCESS
