from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_robot.cli.__main__ import main
from inspection_robot.documents.codes import read_codes
from inspection_robot.documents.retail_profile import check_digit, expand_upce, read_retail
from tests.data import need
from tests.documents.pictures import code_picture, photographed

BUDGET_S = 30.0  # the tests are about what is read, not how fast


def texts(picture: np.ndarray) -> list[str]:
    return [code.text for code in read_codes(picture, BUDGET_S)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("QRCode", "https://port.example/q/ABC123"), ("Aztec", "M1TEST"), ("PDF417", "hello world"),
        ("EAN13", "5901234123457"), ("Code128", "CSQU3054383"), ("ITF", "0999123456"), ("DataMatrix", "汉字 and text"),
    ],
)  # fmt: skip
def test_clean_codes_are_read(name: str, text: str) -> None:
    assert texts(code_picture(text, name)) == [text]


@pytest.mark.parametrize("turn", [0, 20, 45, 90, 180, 270])
def test_a_boarding_pass_code_is_read_at_any_turn(turn: int) -> None:
    text = "M1DESMARAIS/LUC       EABC123 YULFRAAC 0834 326J001A0025 100"
    picture = code_picture(text, "PDF417", 3)
    square = np.full((900, 900), 255, np.uint8)
    top, left = (900 - picture.shape[0]) // 2, (900 - picture.shape[1]) // 2
    square[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    assert texts(photographed(square, turn_deg=turn)) == [text]


def test_a_dim_blurred_retail_code_is_read_and_named_once() -> None:
    picture = photographed(code_picture("5901234123457", "EAN13", 2), blur=1.4, gain=0.3, noise=2.0)
    assert zxingcpp.read_barcodes(picture) == []  # not readable as it is
    codes = read_codes(picture, BUDGET_S)
    assert [(code.format, code.text) for code in codes] == [("EAN-13", "5901234123457")]


def test_corners_are_given_in_the_picture_as_it_came() -> None:
    picture = code_picture("5901234123457", "EAN13", 3)
    canvas = np.full((400, 800), 255, np.uint8)
    canvas[100 : 100 + picture.shape[0], 300 : 300 + picture.shape[1]] = picture
    corners = read_codes(canvas, BUDGET_S)[0].corners
    assert corners[:, 0].min() > 300 and corners[:, 0].max() < 300 + picture.shape[1]
    assert corners[:, 1].min() > 95 and corners[:, 1].max() < 105 + picture.shape[0]


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 3.0]))
@settings(max_examples=25, deadline=None)
def test_noise_and_texture_hold_no_codes(seed: int, smooth: float) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (160, 220), dtype=np.uint8)
    picture = cv2.GaussianBlur(noise, (0, 0), smooth) if smooth else noise
    assert texts(np.asarray(picture, np.uint8)) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 3), (17, 16)])
def test_pictures_of_any_shape_are_taken(shape: tuple[int, int]) -> None:
    assert texts(np.zeros(shape, np.uint8)) == []


def test_nothing_further_is_tried_when_the_time_is_used() -> None:
    ticks = iter(range(1000))
    picture = photographed(code_picture("5901234123457", "EAN13", 2), blur=1.6, gain=0.3)
    assert read_codes(picture, 0.5, clock=lambda: float(next(ticks))) == []


@given(st.integers(0, 10**12 - 1), st.floats(0.0, 1.5), st.floats(0.2, 1.0))
@settings(max_examples=25, deadline=None)
def test_a_profile_is_read_right_or_not_at_all(number: int, blur: float, gain: float) -> None:
    digits = f"{number:012d}"
    text = digits + str(check_digit(digits))
    picture = photographed(code_picture(text, "EAN13", 2), blur=blur, gain=gain, noise=2.0)
    assert {reading.text for reading in read_retail(picture)} <= {text}


def test_zero_suppressed_numbers_expand_as_the_standard_shows() -> None:
    assert expand_upce(0, "496580") + str(check_digit(expand_upce(0, "496580"))) == "0049000006582"
    assert expand_upce(0, "123456")[:12] == "001234500006"


def test_real_photos_are_read_as_the_benchmark_says() -> None:
    root = need("interception/zxing_blackbox/test/samples")
    wrong = right = total = 0
    for path in sorted(root.glob("*/*"))[::9]:
        truth = path.with_suffix(".txt")
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if path.suffix in {".png", ".webp", ".jpg"} else None
        if picture is None or not truth.exists():
            continue
        found = texts(picture)
        total += 1
        right += truth.read_bytes().decode() in found
        wrong += bool(found) and truth.read_bytes().decode() not in found
    assert right / total > 0.93 and wrong <= 1


def decode(capsys: pytest.CaptureFixture[str], *names: str) -> tuple[int, list[dict[str, object]], list[str]]:
    status = main(["decode", "--no-mrz", *names])
    captured = capsys.readouterr()
    return status, [json.loads(line) for line in captured.out.splitlines()], captured.err.splitlines()


def test_the_command_reads_on_after_bad_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = tmp_path / "good.png"
    cv2.imwrite(str(good), code_picture("0999123456", "ITF"))
    bad = {"empty.png": b"", "text.png": b"no picture", "cut.png": good.read_bytes()[:60]}
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    names = [str(tmp_path / name) for name in (*bad, "absent.png")]
    status, lines, errors = decode(capsys, *names, str(good))
    assert status == 2
    assert len(errors) == 4 and all(name in error for name, error in zip(names, errors, strict=True))
    assert lines[0]["codes"][0]["kind"] == "bag_tag"  # type: ignore[index]


def test_a_hostile_payload_stays_one_line_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "<script>alert(1)</script>\n\r\x1b[31m;DROP TABLE"
    path = tmp_path / "hostile.png"
    cv2.imwrite(str(path), code_picture(text, "QRCode"))
    status, lines, _ = decode(capsys, str(path))
    assert status == 0
    assert lines[0]["codes"][0]["text"] == text  # type: ignore[index]
    assert lines[0]["codes"][0]["kind"] == "other"  # type: ignore[index]
