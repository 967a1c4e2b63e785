"""An action server whose goals run in threads of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rclpy.action import ActionServer


class ThreadedActionServer(ActionServer):  # type: ignore[misc]  # rclpy has no type information
    """Runs each goal's execute callback in a thread, so that it may take minutes without holding up the executor.

    In rclpy 7.1 the executor would run the callback itself, and a coroutine that awaits a future keeps the executor
    spinning at full load. The thread's result goes back to the executor when it is there.

    The callback takes the goal handle, may publish feedback, looks at ``goal_handle.is_cancel_requested``, calls
    ``succeed()``, ``canceled()`` or ``abort()`` and returns the result. When it raises, ``failed`` is told, the goal is
    aborted and the result carries the error's text in its ``message`` if it has that field.
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
        self._failed = failed
        self._succeeded = succeeded
        super().__init__(node, action_type, action_name, execute_callback, **options)

    def notify_execute(self, goal_handle: Any, execute_callback: Callable[[Any], Any] | None) -> None:
        """Start the goal's thread; called by rclpy when the goal handle's ``execute()`` is."""
        callback = execute_callback or self._execute_callback
        name = f"{self._action_name}-{bytes(goal_handle.goal_id.uuid).hex()[:8]}"
        threading.Thread(target=self._run, args=(goal_handle, callback), name=name, daemon=True).start()

    def _run(self, goal_handle: Any, callback: Callable[[Any], Any]) -> None:
        try:
            result = callback(goal_handle)
        except Exception as error:  # noqa: BLE001 - becomes a fault of the node and the goal's result
            self._failed(error)
            result = self.action_type.Result()
            if hasattr(result, "message"):
                result.message = " ".join(str(error).split())
            if goal_handle.is_active:
                goal_handle.abort()
        else:
            self._succeeded()
        if self._node.executor is not None:
            super().notify_execute(goal_handle, lambda _: result)
