"""A small ROS graph inside one test: several nodes, one executor, waiting for conditions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

PATIENCE_S = 30.0


class Graph:
    """Nodes that spin together. ``probe`` is a plain node to subscribe, publish and call with."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.executor = SingleThreadedExecutor(context=context)
        self.nodes: list[Any] = []
        self.probe = Node("probe", context=context)
        self.add(self.probe)

    def add(self, node: Any) -> Any:
        """Spin this node too; it is destroyed at the end."""
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def make(self, node_class: Callable[..., Any], **arguments: Any) -> Any:
        """Make a node in the test's context and add it; ``overrides`` are its parameters."""
        return self.add(node_class(context=self.context, **arguments))

    def activate(self, node: Any) -> None:
        """Configure and activate a node of this graph."""
        for trigger in (node.trigger_configure, node.trigger_activate):
            assert trigger().to_label() == "transition_success", node.get_name()

    def record(self, message_type: Any, topic: str, profile: Any) -> list[Any]:
        """A list that fills with the messages of a topic."""
        messages: list[Any] = []
        self.probe.create_subscription(message_type, topic, messages.append, profile)
        return messages

    def spin_until(self, condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
        """Spin until the condition holds; the test fails when it does not within the (generous) patience."""
        deadline = time.monotonic() + patience_s
        while not condition():
            assert time.monotonic() < deadline, "condition did not come true"
            self.executor.spin_once(timeout_sec=0.05)

    def call(self, service_type: Any, name: str, request: Any) -> Any:
        """Call a service and return its response."""
        client = self.probe.create_client(service_type, name)
        self.spin_until(client.service_is_ready)
        future = client.call_async(request)
        self.spin_until(future.done)
        self.probe.destroy_client(client)
        return future.result()

    def close(self) -> None:
        """Destroy everything."""
        for node in reversed(self.nodes):
            if hasattr(node, "trigger_shutdown"):
                node.trigger_shutdown()
            self.executor.remove_node(node)
            node.destroy_node()
        self.executor.shutdown()
