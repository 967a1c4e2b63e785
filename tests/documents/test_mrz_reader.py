from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from inspection_contract.errors import InputError
from inspection_robot.documents.images import read_gray
from inspection_robot.documents.mrz import parse_mrz
from inspection_robot.documents.mrz_formats import ALPHABET, FORMATS, TD3
from inspection_robot.documents.mrz_grammar import read_zone
from inspection_robot.documents.mrz_reader import MrzReader, default_reader
from tests.data import need
from tests.documents.test_mrz import SPECIMENS

FONT = "/usr/share/fonts/opentype/ocr-b/OCRB.otf"


def scores_of(lines: tuple[str, ...], sure: float = 0.98) -> np.ndarray:
    """Log-probabilities of a reader that sees these characters."""
    scores = np.full((len(lines), len(lines[0]), 37), np.log((1 - sure) / 36))
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            scores[row, column, ALPHABET.index(character)] = np.log(sure)
    return scores


@pytest.mark.parametrize("name", SPECIMENS)
def test_what_is_seen_clearly_is_read_and_certain(name: str) -> None:
    layout = next(layout for layout in FORMATS if layout.name == name)
    reading = read_zone(layout, scores_of(SPECIMENS[name]))
    assert reading.mrz.lines == SPECIMENS[name]
    assert reading.certain and reading.cost == pytest.approx(0.0)


def test_a_doubtful_digit_is_settled_by_the_check_digits() -> None:
    lines = SPECIMENS["TD3"]
    scores = scores_of(lines)
    scores[1, 2, ALPHABET.index("8")], scores[1, 2, ALPHABET.index("9")] = np.log(0.35), np.log(0.6)
    reading = read_zone(TD3, scores)
    assert reading.mrz.lines == lines and reading.certain


def test_a_clear_digit_is_not_changed_for_the_sake_of_a_check() -> None:
    first, second = SPECIMENS["TD3"]
    reading = read_zone(TD3, scores_of((first, second[:3] + "7" + second[4:]), sure=0.9999999))
    assert not reading.certain
    assert reading.mrz.lines[1][3] == "7"


def test_an_unclear_letter_of_a_name_is_never_certain() -> None:
    scores = scores_of(SPECIMENS["TD3"])
    scores[0, 7, :] = np.log(1 / 37)
    assert not read_zone(TD3, scores).certain


def test_names_keep_the_standards_form_where_a_filler_was_read_as_k() -> None:
    scores = scores_of(SPECIMENS["TD3"])
    scores[0, 30, ALPHABET.index("K")], scores[0, 30, ALPHABET.index("<")] = np.log(0.6), np.log(0.35)
    assert read_zone(TD3, scores).mrz.lines == SPECIMENS["TD3"]


def rendered(lines: tuple[str, ...], pitch: float = 12.0) -> np.ndarray:
    """A zone printed at the foot of a grey page."""
    try:
        font = ImageFont.truetype(FONT, int(pitch * 1.35))
    except OSError:
        pytest.skip("the OCR-B outlines (Debian: fonts-ocr-b) are not here")
    width, height = int(pitch * (len(lines[0]) + 6)), int(pitch * 30)
    page = Image.new("L", (width, height), 205)
    pen = ImageDraw.Draw(page)
    pen.text((width // 3, height // 4), "REPUBLIC OF UTOPIA  specimen", fill=60)
    for row, line in enumerate(lines):
        y = height - pitch * (3 + 2.2 * (len(lines) - 1 - row))
        for column, character in enumerate(line):
            pen.text(((column + 3.5) * pitch, y), character, fill=40, font=font, anchor="ms")
    return np.asarray(page, np.uint8)


@pytest.mark.parametrize(("name", "tilt"), [("TD3", 0.0), ("TD1", 180.0), *((name, 6.0) for name in SPECIMENS)])
def test_a_printed_zone_of_every_format_is_read_tilted_too(name: str, tilt: float) -> None:
    page = rendered(SPECIMENS[name])
    height, width = page.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), tilt, 1.0)
    photo = cv2.GaussianBlur(cv2.warpAffine(page, turn, (width, height), borderValue=205), (0, 0), 0.8)
    zone = default_reader().read(np.asarray(photo, np.uint8))
    assert zone is not None
    assert zone.reading.mrz.lines == SPECIMENS[name]
    assert zone.reading.certain
    assert zone.corners.min() > -5 and zone.corners[:, 0].max() < width + 5


@pytest.mark.parametrize("quarters", [1, 3])
def test_a_page_lying_on_its_side_is_read_and_its_corners_lie_on_the_zone(quarters: int) -> None:
    page = rendered(SPECIMENS["TD3"])
    upright = default_reader().read(page)
    turned = default_reader().read(np.ascontiguousarray(np.rot90(page, quarters)))
    assert upright is not None and turned is not None
    assert turned.reading.mrz.lines == SPECIMENS["TD3"]
    height, width = page.shape
    x, y = upright.corners.mean(axis=0)
    middle = (y, width - 1 - x) if quarters == 1 else (height - 1 - y, x)
    assert turned.corners.mean(axis=0) == pytest.approx(middle, abs=8)


def test_pages_without_a_zone_hold_none_that_is_certain() -> None:
    rng = np.random.default_rng(2)
    page = np.full((300, 500), 220, np.uint8)
    for row in range(12):
        text = "".join(rng.choice(list("abcdefghijk lmnopqrstuvw ABCDEFG 0123"), 60))
        cv2.putText(page, text, (5, 24 * row + 20), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 40, 1, cv2.LINE_AA)
    for picture in (page, np.zeros((50, 80), np.uint8), rng.integers(0, 256, (200, 300), dtype=np.uint8)):
        zone = default_reader().read(picture)
        assert zone is None or not zone.reading.certain


def test_a_model_that_is_none_is_named(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "broken.onnx"
    with pytest.raises(InputError, match="missing"):
        MrzReader(path)
    path.write_bytes(b"no model")
    with pytest.raises(InputError, match=r"broken\.onnx"):
        MrzReader(path)


@pytest.mark.parametrize("name", ["passports/Canada.png", "visas/USA.png", "id_cards/Sweden.png"])
def test_specimen_photos_are_read_and_valid(name: str) -> None:
    picture = read_gray(need("interception/mrz_arg0s/docs/images") / name)
    zone = default_reader().read(picture)
    assert zone is not None and zone.reading.certain
    assert parse_mrz(zone.reading.mrz.lines).valid
