from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_robot.documents import container
from inspection_robot.documents.bag_tag import airline_prefixes, expand_licence_plate, parse_bag_tag
from inspection_robot.documents.boarding_pass import parse_boarding_pass
from inspection_robot.documents.checked import PayloadError
from inspection_robot.documents.codes import Code
from inspection_robot.documents.container import parse_container, repair_container
from inspection_robot.documents.payload_text import latin_identifier, shown
from inspection_robot.documents.payloads import interpret
from inspection_robot.documents.voting import FrameVotes
from tests.data import need

PASS = (
    "M2DESMARAIS/LUC       EABC123 YULFRAAC 0834 226F001A0025 14D>6181WW6225BAC 00141234560032A0141234567890 1AC AC "
    "1234567890123    20KYLX58ZDEF456 FRAGVALH 3664 227C012C0002 12E2A0140987654321 1AC AC 1234567890123    2PCNWQ"
    "^164GIWVC5"
)


KINDS = {"boarding_pass", "bag_tag", "container", "inspection_qr", "other", "passport", "visa", "id_card"}


def code(text: str, name: str = "QR Code") -> Code:
    return Code(name, text, text.encode(), "", np.zeros((4, 2), np.float32), "as_is")


def test_a_boarding_pass_tells_journey_name_and_bag_tags() -> None:
    parsed = parse_boarding_pass(PASS)
    assert parsed.valid
    assert (parsed.fields["surname"], parsed.fields["leg1_from"], parsed.fields["leg2_to"]) == (
        "DESMARAIS",
        "YUL",
        "GVA",
    )
    tags = [identifier for kind, identifier in parsed.identifiers if kind == "bag_tag"]
    assert tags == ["0014123456", "0014123457", "0014123458", "0014123459"]


@given(st.integers(0, len(PASS)), st.text(max_size=3))
def test_a_cut_or_damaged_boarding_pass_is_parsed_or_refused_and_never_fails_otherwise(at: int, inserted: str) -> None:
    for text in (PASS[:at], PASS[:at] + inserted + PASS[at:], PASS[:at] + inserted + PASS[at + len(inserted) :]):
        try:
            parsed = parse_boarding_pass(text)
        except PayloadError:
            continue
        assert parsed.kind == "boarding_pass"


@given(st.text(max_size=400))
def test_any_text_of_a_code_has_a_kind(text: str) -> None:
    for name in ("QR Code", "ITF", "Code 128"):
        parsed = interpret(code(text, name))
        assert parsed.kind in {
            "boarding_pass",
            "bag_tag",
            "container",
            "inspection_qr",
            "other",
            "passport",
            "visa",
            "id_card",
        }
        assert parsed.kind != "other" or parsed.identifiers == ()


def test_real_boarding_passes_parse() -> None:
    for text in json.loads(need("interception/bcbp/strings.json").read_text()):
        assert parse_boarding_pass(text).valid


def test_kinds_are_told_by_content() -> None:
    assert interpret(code("0999123456", "ITF")).kind == "bag_tag"
    assert interpret(code("CSQU3054383")).kind == "container"
    assert interpret(code("https://center.example:8080/q/AB12-CD34")).fields == {"registration": "AB12-CD34"}
    zone = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<L898902C36UTO7408122F1204159ZE184226B<<<<<10"
    assert interpret(code(zone)).kind == "passport"
    assert interpret(code("javascript:alert(1)")).kind == "other"


def test_a_tag_of_an_unknown_airline_is_not_valid() -> None:
    assert parse_bag_tag("0999123456").valid
    unknown = next(f"{n:03d}" for n in range(1000) if f"{n:03d}" not in airline_prefixes())
    assert not parse_bag_tag(f"0{unknown}123456").valid
    for text in ("099912345", "09991234567", "०९९९१२३४५६", "099912345x"):
        with pytest.raises(PayloadError):
            parse_bag_tag(text)


def test_ten_digits_in_a_two_dimensional_code_are_a_tag_only_of_an_airline_that_is_known() -> None:
    tag = interpret(code("0781234567", "QR Code"))
    assert (tag.kind, tag.identifiers) == ("bag_tag", (("bag_tag", "0781234567"),))
    unknown = next(f"{n:03d}" for n in range(1000) if f"{n:03d}" not in airline_prefixes())
    assert interpret(code(f"0{unknown}123456", "QR Code")).kind == "other"


def test_the_tags_of_a_pass_follow_each_other_and_wrap() -> None:
    assert expand_licence_plate(" " * 13) == ()
    assert expand_licence_plate("0014999999001") == ("0014999999", "0014000000")
    with pytest.raises(PayloadError):
        expand_licence_plate("00149999990X1")


letters = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=3)


@given(letters, st.sampled_from("UJZ"), st.integers(0, 999999))
def test_container_numbers_round_trip_and_a_wrong_check_is_noticed(owner: str, category: str, serial: int) -> None:
    body = f"{owner}{category}{serial:06d}"
    digit = container.check_digit(body)
    assert parse_container(f"{body[:4]} {body[4:]} {digit}").valid
    assert not parse_container(f"{body}{(digit + 1) % 10}").valid


@given(st.text("CEFHJKMNPRUVWXY", min_size=3, max_size=3), st.integers(0, 999999))
def test_letters_read_for_digits_are_set_right(owner: str, serial: int) -> None:
    body = f"{owner}U{serial:06d}"
    number = body + str(container.check_digit(body))
    misread = number[:4] + number[4:].translate(str.maketrans("012568", "OIZSGB"))
    assert repair_container(misread) == number


def test_a_number_that_cannot_be_told_is_not_guessed() -> None:
    assert repair_container("CSQU305438") is None
    assert repair_container("CSQX3054383") is None


def test_look_alikes_are_folded_and_reported() -> None:
    assert latin_identifier("АВС１２３") == ("ABC123", True)
    assert latin_identifier("ABC123") == ("ABC123", False)


@given(st.text(max_size=2000))
def test_shown_text_has_no_control_characters_and_is_short(text: str) -> None:
    result = shown(text, 100)
    assert result.isprintable() or all(c.isprintable() or c.isspace() for c in result)
    assert "\n" not in result and "\x1b" not in result
    assert len(result) <= 100 * 10 + 1


def test_a_reading_is_given_out_once_when_enough_frames_agree() -> None:
    votes: FrameVotes[str] = FrameVotes(window_s=1.0, repeat_s=5.0)
    assert votes.add("k", "a", 2, 0.0) is None
    agreed = votes.add("k", "b", 2, 0.5)
    assert agreed is not None and (agreed.reading, agreed.frames) == ("b", 2)
    assert votes.add("k", "c", 2, 0.9) is None
    assert votes.add("k", "d", 2, 4.0) is None
    assert votes.add("k", "e", 2, 20.0) is None
    assert votes.add("k", "f", 2, 20.5) is not None


def test_frames_too_far_apart_do_not_agree() -> None:
    votes: FrameVotes[str] = FrameVotes(window_s=1.0)
    assert [votes.add("k", "a", 2, float(time)) for time in range(0, 20, 2)] == [None] * 10
