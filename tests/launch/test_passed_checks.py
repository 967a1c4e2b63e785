"""A check that passed is not repeated until something it looked at changes."""

import pytest

from inspection_robot.launcher.passed_checks import fingerprint, passed, remember


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def parameters(tmp_path):
    path = tmp_path / "robot.yaml"
    path.write_text("a: 1")
    return path


def nodes(path):
    return [{"module": "m", "name": "/robot_1/thermal", "where": "launch:3", "parameters": [str(path), ("rate", "9")]}]


def test_a_check_counts_as_passed_only_after_it_passed(parameters):
    check = fingerprint(nodes(parameters))
    assert not passed(check)
    remember(check)
    remember("another")
    assert passed(check)


def test_a_changed_file_or_value_is_checked_again(parameters):
    before = fingerprint(nodes(parameters))
    parameters.write_text("a: 2")
    assert fingerprint(nodes(parameters)) != before
    other = nodes(parameters)
    other[0]["parameters"][1] = ("rate", "10")
    assert fingerprint(other) != fingerprint(nodes(parameters))


def test_a_file_that_vanished_is_checked_again(parameters):
    before = fingerprint(nodes(parameters))
    parameters.unlink()
    assert fingerprint(nodes(parameters)) != before
