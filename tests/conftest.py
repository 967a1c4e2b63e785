"""Fixtures that several test folders use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

# Read by the middleware when the first context is made.
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("RCUTILS_COLORIZED_OUTPUT", "0")
# Read by OpenBLAS when numpy is imported: its threads wait for each other by spinning, which is ruinous on busy cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def ros_domain() -> Iterator[int]:
    """A ROS domain that nobody else on this machine uses; skips when the workspace is not built."""
    for package in ("rclpy", "inspection_interfaces", "domain_coordinator"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not importable: build and source the workspace (./robot shell -- pytest …)")
    from domain_coordinator import domain_id

    with domain_id() as number:
        yield int(number)


@pytest.fixture
def ros_context(ros_domain: int) -> Iterator[Any]:
    """A private rclpy context in a domain of its own."""
    import rclpy
    from rclpy.context import Context

    context = Context()
    rclpy.init(context=context, domain_id=ros_domain)
    yield context
    rclpy.try_shutdown(context=context)


@pytest.fixture
def ros_graph(ros_context: Any) -> Iterator[Any]:
    """Nodes of one test on one executor, with a plain node to listen and to call: see tests/ros/graph.py."""
    from tests.ros.graph import Graph

    graph = Graph(ros_context)
    yield graph
    graph.close()


@pytest.fixture
def ros_environment(ros_domain: int) -> dict[str, str]:
    """Environment for child processes, so that they meet the test in its domain."""
    return os.environ | {"ROS_DOMAIN_ID": str(ros_domain)}
