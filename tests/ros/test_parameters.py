from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_robot.ros.parameters import ParameterError, build, change, parameter, specifications


@dataclass(frozen=True)
class Camera:
    rate_hz: float = parameter(9.0, "Frames a second", minimum=0.1, maximum=60.0)
    frames: int = parameter(3, "Frames to agree", minimum=1)
    source: str = parameter("topic", "Where pictures come from", choices=["topic", "v4l2"])
    enabled: bool = parameter(True, "Whether to look at all")
    offsets_c: tuple[float, ...] = parameter((0.0,), "Corrections [degC]", minimum=-5.0, maximum=5.0)

    def __post_init__(self) -> None:
        if self.source == "v4l2" and self.rate_hz > 27:
            raise ValueError("rate_hz of a v4l2 source is at most 27")


def test_defaults_hold_without_values() -> None:
    assert build(Camera, {}) == Camera()


def test_whole_numbers_are_numbers() -> None:
    camera = build(Camera, {"rate_hz": 5, "offsets_c": [1, 2.5]})
    assert camera.rate_hz == 5.0 and isinstance(camera.rate_hz, float)
    assert camera.offsets_c == (1.0, 2.5)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"rate_hz": 90.0}, "rate_hz: 90 is out of range: 0.1 … 60"),
        ({"rate_hz": float("nan")}, "rate_hz: nan is not a finite number"),
        ({"rate_hz": "9"}, "rate_hz: '9' is not a number"),
        ({"rate_hz": True}, "rate_hz: True is not a number"),
        ({"frames": 0}, "frames: 0 is out of range: at least 1"),
        ({"frames": 2.0}, "frames: 2.0 is not a whole number"),
        ({"source": "usb"}, "source: 'usb' is not allowed: one of topic, v4l2"),
        ({"enabled": 1}, "enabled: 1 is not true or false"),
        ({"offsets_c": 1.0}, "offsets_c: 1.0 is not a list"),
        ({"offsets_c": [1.0, 9.0]}, "offsets_c: 9 is out of range: -5 … 5"),
        ({"rate_hzz": 9.0}, "rate_hzz: no such parameter; did you mean rate_hz?"),
        ({"source": "v4l2", "rate_hz": 60.0}, "parameters: rate_hz of a v4l2 source is at most 27"),
    ],
)
def test_bad_values_are_rejected_with_what_is_allowed(values: dict[str, object], fault: str) -> None:
    with pytest.raises(ParameterError) as caught:
        build(Camera, values)
    assert str(caught.value) == fault


def test_change_keeps_the_old_object() -> None:
    old = Camera()
    new = change(old, {"rate_hz": 30})
    assert (old.rate_hz, new.rate_hz, new.frames) == (9.0, 30.0, old.frames)
    with pytest.raises(ParameterError):
        change(new, {"source": "v4l2"})


@given(st.one_of(st.floats(), st.integers(), st.text(), st.booleans(), st.none(), st.lists(st.floats())))
def test_whatever_is_given_the_result_is_within_its_limits_or_an_error(value: object) -> None:
    try:
        camera = build(Camera, {"rate_hz": value})
    except ParameterError:
        return
    assert 0.1 <= camera.rate_hz <= 60.0


def test_a_plain_field_is_a_mistake_in_the_program() -> None:
    @dataclass(frozen=True)
    class Wrong:
        rate_hz: float = 9.0

    with pytest.raises(TypeError, match=r"Wrong\.rate_hz"):
        specifications(Wrong)
