"""Runs one node as a process: signals, executor, exit status.

The executor has one thread. rclpy's multi-threaded executor costs more than it gives under Python's interpreter lock,
and lets callbacks of one node run into each other; with one thread, a node's state needs no locks except where it
hands work to its own workers. What takes long runs in workers (:mod:`inspection_robot.ros.workers`).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from inspection_contract.errors import InputError

PAUSE_AFTER_ERROR_S = 0.1


def run(make_node: Callable[..., Any], arguments: Sequence[str] | None = None) -> None:
    """Run a node until SIGINT or SIGTERM, then deactivate it, clean it up and return.

    rclpy's own signal handlers would shut the middleware down at once; a node could then no longer publish its last
    messages (the drive node's zero velocity). Ours ask the executor to stop first.

    Args:
        make_node: the node's class.
        arguments: command line with the program's name first; ``sys.argv`` when None.

    Raises:
        SystemExit: with status 2 after one line on standard error, when a parameter or file is wrong.
    """
    words = list(sys.argv if arguments is None else arguments)
    try:
        rclpy.init(args=words, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:
        # rcl's errors have many lines of its own source; the first says what is wrong with the command line.
        print(f"{Path(words[0]).name}: {str(error).splitlines()[0]}", file=sys.stderr)
        raise SystemExit(2) from error
    try:
        node = make_node(parameter_files=parameter_files(words))
    except InputError as error:
        print(error, file=sys.stderr)
        rclpy.shutdown()
        raise SystemExit(2) from error
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    stop = _StopOnSignal(executor)
    try:
        _spin(executor, node, stop)
    finally:
        if rclpy.ok():
            node.trigger_shutdown()
        node.destroy_node()
        executor.shutdown()
        rclpy.try_shutdown()
        stop.close()


def _spin(executor: SingleThreadedExecutor, node: Any, stop: _StopOnSignal) -> None:
    while not stop.requested.is_set():
        try:
            executor.spin_once()
        except ExternalShutdownException:
            return  # somebody shut the context down: the same as a signal
        except Exception as error:  # noqa: BLE001 - callbacks are guarded; this is rclpy failing on bad data
            node.fault("executor_failed", f"{type(error).__name__}: {error}")
            stop.requested.wait(PAUSE_AFTER_ERROR_S)
        else:
            node.clear("executor_failed")


def parameter_files(arguments: Sequence[str]) -> list[Path]:
    """Parameter files named on a ROS command line, in order."""
    return [Path(value) for word, value in pairwise(arguments) if word == "--params-file"]


class _StopOnSignal:
    """Wakes the executor at SIGINT and SIGTERM.

    Python runs signal handlers between two of its instructions, but the main thread waits inside the middleware. The
    wake-up descriptor is written by the C handler at once; a thread reads it and wakes the executor.
    """

    def __init__(self, executor: SingleThreadedExecutor) -> None:
        self.requested = threading.Event()
        self._executor = executor
        self._read, write = os.pipe()
        os.set_blocking(write, False)
        self._write = write
        self._previous = {
            number: signal.signal(number, lambda *_: self.requested.set()) for number in (signal.SIGINT, signal.SIGTERM)
        }
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="signals", daemon=True).start()

    def _watch(self) -> None:
        while data := os.read(self._read, 1):
            if data[0] in (signal.SIGINT, signal.SIGTERM):
                self.requested.set()
                self._executor.wake()
        os.close(self._read)

    def close(self) -> None:
        """Put the signals back as they were and end the thread."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        os.close(self._write)
