"""The server side of RViz's interactive markers, which has no Python package outside a ROS installation.

Protocol of visualization_msgs: the display asks the service ``<name>/get_interactive_markers`` for everything once,
then listens to numbered updates on ``<name>/update``; what the user does comes back on ``<name>/feedback``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.qos import QoSProfile
from visualization_msgs.msg import InteractiveMarker, InteractiveMarkerFeedback, InteractiveMarkerUpdate
from visualization_msgs.srv import GetInteractiveMarkers

KEEP_ALIVE_S = 0.5


class InteractiveMarkers:
    """Interactive markers of one node, by name. Make it in ``configure``.

    Args:
        node: an :class:`~inspection_robot.ros.node.InspectionNode`.
        name: topic namespace, as the RViz display's *Interactive Markers Namespace*.
        chosen: called with (marker name, menu entry id) when the user selects a menu entry.
    """

    def __init__(self, node: Any, name: str, chosen: Callable[[str, int], None]) -> None:
        self._server = f"{node.get_fully_qualified_name()}/{name}"
        self._markers: dict[str, Any] = {}
        self._sequence = 0
        self._chosen = chosen
        self._updates = node.create_publisher(InteractiveMarkerUpdate, f"{name}/update", QoSProfile(depth=100))
        node.create_subscription(
            InteractiveMarkerFeedback, f"{name}/feedback", self._on_feedback, QoSProfile(depth=100)
        )
        node.create_service(GetInteractiveMarkers, f"{name}/get_interactive_markers", self._give_all)
        node.create_timer(KEEP_ALIVE_S, self._keep_alive)

    def show(self, markers: dict[str, Any]) -> None:
        """Make these InteractiveMarker messages, by name, the ones that are shown."""
        erased = [name for name in self._markers if name not in markers]
        changed = [marker for name, marker in markers.items() if self._markers.get(name) != marker]
        if not erased and not changed:
            return
        self._markers = dict(markers)
        self._sequence += 1
        self._publish(InteractiveMarkerUpdate.UPDATE, changed, erased)

    def _publish(self, kind: int, markers: list[InteractiveMarker], erased: list[str]) -> None:
        self._updates.publish(
            InteractiveMarkerUpdate(
                server_id=self._server, seq_num=self._sequence, type=kind, markers=markers, erases=erased
            )
        )

    def _keep_alive(self) -> None:
        self._publish(InteractiveMarkerUpdate.KEEP_ALIVE, [], [])

    def _give_all(self, _request: Any, response: Any) -> Any:
        response.sequence_number = self._sequence
        response.markers = list(self._markers.values())
        return response

    def _on_feedback(self, message: Any) -> None:
        if message.event_type == InteractiveMarkerFeedback.MENU_SELECT and message.marker_name in self._markers:
            self._chosen(message.marker_name, int(message.menu_entry_id))
