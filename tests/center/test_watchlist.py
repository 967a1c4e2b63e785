"""The watch-list over the interface, as a national system brings it."""

from __future__ import annotations

import pytest

from inspection_contract.client import CenterClient, CenterRefused
from inspection_contract.commands import WatchlistUpdate
from tests.center.running import RunningCenter


def test_entries_brought_over_the_interface_reach_the_robot_as_digests(running_on_each: RunningCenter) -> None:
    robot = running_on_each.enrol("robot_1")
    with CenterClient(running_on_each.url, running_on_each.service_token("supervisor")) as supervisor:
        supervisor.watch([{"id": "n:1", "kind": "bag_tag", "identifier": "0781234567"}])
    with CenterClient(running_on_each.url, robot.token) as client:
        update = WatchlistUpdate.model_validate(next(client.stream_commands(0)).data)
    assert [(entry.id, entry.kind) for entry in update.entries] == [("n:1", "bag_tag")]
    assert update.entries[0].digest and "0781234567" not in update.model_dump_json()


def test_a_bad_entry_refuses_the_whole_addition(running_on_each: RunningCenter) -> None:
    with CenterClient(running_on_each.url, running_on_each.service_token("supervisor")) as supervisor:
        good = {"id": "n:1", "kind": "bag_tag", "identifier": "0781234567"}
        for bad in ({"id": "n 2"}, {"kind": "face"}, {"identifier": " "}, {"expires": "tomorrow"}, {"note": "x"}):
            with pytest.raises(CenterRefused, match="422"):
                supervisor.watch([good, {**good, "id": "n:2", **bad}])
        supervisor.watch([good])
        with pytest.raises(CenterRefused, match="409"):
            supervisor.watch([good])


def test_an_officer_may_not_change_the_list(running_on_each: RunningCenter) -> None:
    with (
        CenterClient(running_on_each.url, running_on_each.service_token("officer")) as officer,
        pytest.raises(CenterRefused, match="403"),
    ):
        officer.watch([{"id": "n:1", "kind": "bag_tag", "identifier": "0781234567"}])
