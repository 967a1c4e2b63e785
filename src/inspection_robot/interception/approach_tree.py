"""The physical part of an interception as a behaviour tree: announce, come up, instruct, wait for the officer.

Behaviours know the body only through :class:`Body`, so that the tree runs the same in a test.
"""

from __future__ import annotations

from typing import Protocol

import py_trees
from py_trees.common import Status

from inspection_robot.interception.approach import Step, Verdict


class Body(Protocol):
    """What the tree moves."""

    def say(self, key: str) -> None:
        """Begin to say a template; returns at once."""

    def speaking(self) -> bool:
        """Whether something is still being said."""

    def step(self) -> Step:
        """Decide and send the velocity of this instant."""

    def stop(self) -> None:
        """Stand still."""

    def tell(self, verdict: Verdict) -> None:
        """Tell the incident how it ended or that the person is reached."""


class Say(py_trees.behaviour.Behaviour):  # type: ignore[misc]  # py_trees has no type information
    """Say something once. RUNNING while it is being said, then SUCCESS."""

    def __init__(self, name: str, body: Body, key: str) -> None:
        super().__init__(name)
        self._body, self._key = body, key

    def initialise(self) -> None:
        """Begin."""
        self._body.say(self._key)

    def update(self) -> Status:
        """Wait for the end."""
        return Status.RUNNING if self._body.speaking() else Status.SUCCESS


class ComeUp(py_trees.behaviour.Behaviour):  # type: ignore[misc]  # py_trees has no type information
    """Approach until reached (SUCCESS); FAILURE when the person objects or is lost, or the way stays shut."""

    def __init__(self, body: Body, patience_steps: int) -> None:
        super().__init__("come_up")
        self._body, self._patience = body, patience_steps
        self._waited = 0

    def initialise(self) -> None:
        """Begin patiently."""
        self._waited = 0

    def update(self) -> Status:
        """One step."""
        step = self._body.step()
        self._waited = self._waited + 1 if step.verdict is Verdict.WAITING else 0
        if step.verdict is Verdict.REACHED:
            self._body.tell(Verdict.REACHED)
            return Status.SUCCESS
        if step.verdict in (Verdict.OBJECTED, Verdict.LOST) or self._waited > self._patience:
            self._body.tell(step.verdict)
            return Status.FAILURE
        return Status.RUNNING

    def terminate(self, new_status: Status) -> None:
        """However it ends, stand still."""
        if new_status is not Status.RUNNING:
            self._body.stop()


class KeepFacing(py_trees.behaviour.Behaviour):  # type: ignore[misc]  # py_trees has no type information
    """Stand with the person until somebody ends it from outside; FAILURE when the person leaves."""

    def __init__(self, body: Body) -> None:
        super().__init__("keep_facing")
        self._body = body

    def update(self) -> Status:
        """Look whether the person is still there, without moving."""
        step = self._body.step()
        self._body.stop()
        if step.verdict in (Verdict.OBJECTED, Verdict.LOST):
            self._body.tell(step.verdict)
            return Status.FAILURE
        return Status.RUNNING


def approach_tree(body: Body, speech_key: str, patience_steps: int = 150) -> py_trees.behaviour.Behaviour:
    """The tree of one interception.

    Args:
        body: what it moves.
        speech_key: template of the instruction at contact.
        patience_steps: ticks it waits for a way to open before it gives up.
    """
    root = py_trees.composites.Sequence("intercept", memory=True)
    root.add_children(
        [
            Say("announce", body, "interception.approach"),
            ComeUp(body, patience_steps),
            Say("instruct", body, speech_key),
            KeepFacing(body),
        ]
    )
    return root
