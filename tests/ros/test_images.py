from __future__ import annotations

import array
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from inspection_contract.errors import InputError

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module", autouse=True)
def images(ros_domain: int) -> Any:
    from inspection_robot.ros import images

    return images


def stamp() -> Any:
    from builtin_interfaces.msg import Time

    return Time(sec=1)


@given(
    st.sampled_from(
        [("mono8", np.uint8, ()), ("mono16", np.uint16, ()), ("bgr8", np.uint8, (3,)), ("32FC1", np.float32, ())]
    ),
    st.integers(1, 9),
    st.integers(1, 9),
    st.data(),
)
def test_pictures_survive_the_way_through_a_message(
    images: Any, kind: tuple[str, type, tuple[int, ...]], height: int, width: int, data: st.DataObject
) -> None:
    encoding, dtype, channels = kind
    pixels = data.draw(arrays.arrays(dtype, (height, width, *channels)))
    message = images.to_message(pixels, encoding, stamp(), "camera")
    assert (message.height, message.width, message.encoding, message.header.frame_id) == (
        height,
        width,
        encoding,
        "camera",
    )
    np.testing.assert_array_equal(images.to_array(message), pixels)


def test_a_transposed_array_is_sent_as_it_looks(images: Any) -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4).T
    np.testing.assert_array_equal(images.to_array(images.to_message(pixels, "mono16", stamp(), "c")), pixels)


def test_foreign_byte_order_and_padded_rows_are_read(images: Any) -> None:
    from sensor_msgs.msg import Image

    pixels = np.array([[1, 2], [30000, 4]], dtype=">u2")
    rows = b"".join(row.tobytes() + b"\xff\xff" for row in pixels)
    message = Image(height=2, width=2, encoding="mono16", is_bigendian=1, step=6, data=array.array("B", rows))
    found = images.to_array(message)
    np.testing.assert_array_equal(found, pixels)
    assert found.dtype == np.uint16 and found.dtype.isnative


def test_colours_come_out_in_one_order(images: Any) -> None:
    red = np.zeros((2, 2, 3), np.uint8)
    red[:, :, 0] = 255
    from_rgb = images.to_bgr(images.to_message(red, "rgb8", stamp(), "c"))
    assert from_rgb[0, 0].tolist() == [0, 0, 255]
    grey = images.to_bgr(images.to_message(np.full((2, 2), 7, np.uint8), "mono8", stamp(), "c"))
    assert grey[1, 1].tolist() == [7, 7, 7]


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"encoding": "yuv422"}, "encoding 'yuv422' is not one of"),
        ({"step": 3}, "does not fit"),
        ({"height": 3}, "does not fit"),
        ({"width": 100}, "does not fit"),
    ],
)
def test_messages_that_lie_about_their_size_are_refused(images: Any, fields: dict[str, Any], fault: str) -> None:
    message = images.to_message(np.zeros((2, 2), np.uint16), "mono16", stamp(), "c")
    for name, value in fields.items():
        setattr(message, name, value)
    with pytest.raises(InputError, match=fault):
        images.to_array(message)


def test_arrays_that_do_not_fit_the_encoding_are_refused(images: Any) -> None:
    for pixels, encoding in (
        (np.zeros((2, 2), np.uint8), "mono16"),
        (np.zeros((2, 2), np.uint8), "bgr8"),
        (np.zeros((2, 2, 4), np.uint8), "bgr8"),
        (np.zeros((2, 2), np.float64), "32FC1"),
    ):
        with pytest.raises(InputError):
            images.to_message(pixels, encoding, stamp(), "c")
    with pytest.raises(InputError, match="no colour picture"):
        images.to_bgr(images.to_message(np.zeros((2, 2), np.uint16), "mono16", stamp(), "c"))
