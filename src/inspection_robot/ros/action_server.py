"""An action server whose goals run in threads of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse

LONGEST_GOODBYE_S = 5.0


class Goal:
    """What an execute callback gets: the members of rclpy's ServerGoalHandle, aware of the server closing.

    ``request``, ``goal_id``, ``publish_feedback(feedback)``, ``succeed()``, ``abort()``, ``canceled()``.
    """

    def __init__(self, handle: Any, closing: threading.Event) -> None:
        self._handle = handle
        self._closing = closing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)

    @property
    def is_cancel_requested(self) -> bool:
        """Whether the callback should come to an end: the client cancelled, or the node is being deactivated."""
        return bool(self._handle.is_cancel_requested) or self._closing.is_set()

    def canceled(self) -> None:
        """End as cancelled; when the node itself ended the goal, as aborted, which is what the client must see."""
        if self._handle.is_cancel_requested:
            self._handle.canceled()
        else:
            self._handle.abort()

    def wait(self, seconds: float) -> bool:
        """Sleep, at most until the node is being deactivated; returns :attr:`is_cancel_requested`."""
        self._closing.wait(seconds)
        return self.is_cancel_requested


class ThreadedActionServer(ActionServer):  # type: ignore[misc]  # rclpy has no type information
    """Runs each goal's execute callback in a thread, so that it may take minutes without holding up the executor.

    In rclpy 7.1 the executor would run the callback itself, and a coroutine that awaits a future keeps the executor
    spinning at full load. The thread's result goes back to the executor when it is there.

    The callback takes a :class:`Goal`, looks at its ``is_cancel_requested`` at least once a second, calls
    ``succeed()``, ``canceled()`` or ``abort()`` and returns the result. When it raises, ``failed`` is told, the goal is
    aborted and the result carries the error's text in its ``message`` if it has that field. Cancelling is accepted
    unless a ``cancel_callback`` says otherwise. Goals are rejected until :meth:`open` is called, and after
    :meth:`end_goals`: the node does both when it is activated and deactivated.
    """

    def __init__(
        self,
        node: Any,
        action_type: Any,
        action_name: str,
        execute_callback: Callable[[Any], Any],
        failed: Callable[[Exception], None],
        succeeded: Callable[[], None],
        **options: Any,
    ) -> None:
        self._name = action_name
        self._failed = failed
        self._succeeded = succeeded
        self._closing = threading.Event()
        self._threads: dict[threading.Thread, tuple[Any, list[Any]]] = {}
        self._closing.set()
        options.setdefault("cancel_callback", lambda _: CancelResponse.ACCEPT)
        judge = options.pop("goal_callback", lambda _: GoalResponse.ACCEPT)
        options["goal_callback"] = lambda goal: GoalResponse.REJECT if self._closing.is_set() else judge(goal)
        super().__init__(node, action_type, action_name, execute_callback, **options)

    def notify_execute(self, goal_handle: Any, execute_callback: Callable[[Any], Any] | None) -> None:
        """Start the goal's thread; called by rclpy when the goal handle's ``execute()`` is."""
        result: list[Any] = []
        arguments = (goal_handle, execute_callback or self._execute_callback, result)
        name = f"{self._name}-{bytes(goal_handle.goal_id.uuid).hex()[:8]}"
        thread = threading.Thread(target=self._run, args=arguments, name=name, daemon=True)
        self._threads = {other: entry for other, entry in self._threads.items() if other.is_alive()}
        self._threads[thread] = (goal_handle, result)
        thread.start()

    def open(self) -> None:
        """Take goals again after :meth:`end_goals`."""
        self._closing.clear()

    def end_goals(self) -> None:
        """Ask running goals to end and give them their results; no new goals from now on."""
        self._closing.set()
        for thread, (goal_handle, result) in self._threads.items():
            thread.join(LONGEST_GOODBYE_S)
            if goal_handle.is_active:
                goal_handle.abort()
            # The executor may not get to it any more: run what notify_execute would have scheduled.
            if not self._result_futures[bytes(goal_handle.goal_id.uuid)].done():
                answer = result[0] if result else self.action_type.Result()
                self._finish(goal_handle, answer)
        self._threads = {}

    def destroy(self) -> None:
        """End running goals and close the server."""
        self.end_goals()
        super().destroy()

    def _finish(self, goal_handle: Any, result: Any) -> None:
        finishing = self._execute_goal(lambda _: result, goal_handle)
        try:
            finishing.send(None)
        except StopIteration:
            return  # it never waits for anything, so the first step is the whole of it

    def _run(self, goal_handle: Any, callback: Callable[[Any], Any], kept: list[Any]) -> None:
        try:
            result = callback(Goal(goal_handle, self._closing))
        except Exception as error:  # noqa: BLE001 - becomes a fault of the node and the goal's result
            self._failed(error)
            result = self.action_type.Result()
            if hasattr(result, "message"):
                result.message = " ".join(str(error).split())
            if goal_handle.is_active:
                goal_handle.abort()
        else:
            self._succeeded()
        kept.append(result)
        if not self._closing.is_set() and self._node.executor is not None:
            super().notify_execute(goal_handle, lambda _: result)
