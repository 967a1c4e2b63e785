from __future__ import annotations

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from inspection_robot.documents.checked import PayloadError
from inspection_robot.documents.mrz import check_digit, document_of, parse_mrz, repair_mrz
from inspection_robot.documents.mrz_formats import FORMATS, TD1, MrzFormat

SPECIMENS = {
    "TD3": ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"),
    "TD1": ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<"),
    "TD2": ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6"),
    "MRVA": ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L8988901C4XXX4009078F96121096ZE184226B<<<<<<"),
    "MRVB": ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "L8988901C4XXX4009078F9612109<<<<<<<<"),
}
"""The specimens of ICAO Doc 9303, parts 4 to 7."""
alphanumeric = string.digits + string.ascii_uppercase


@pytest.mark.parametrize("name", SPECIMENS)
def test_the_specimens_of_the_standard_hold(name: str) -> None:
    mrz = parse_mrz(SPECIMENS[name])
    assert mrz.layout.name == name
    assert mrz.valid
    assert (mrz.fields["surname"], mrz.fields["given_names"]) == ("ERIKSSON", "ANNA MARIA")


def test_a_long_document_number_goes_on_in_the_optional_field() -> None:
    mrz = parse_mrz(
        ("I<UTOD23145890<7349<<<<<<<<<<<", "3407127M9507122UTO<<<<<<<<<<<2", "STEVENSON<<PETER<JOHN<<<<<<<<<")
    )
    assert mrz.fields["document_number"] == "D23145890734"
    assert mrz.checks["document_number"]


def test_what_a_zone_means() -> None:
    kinds = {name: document_of(parse_mrz(lines)).kind for name, lines in SPECIMENS.items()}
    assert kinds == {"TD3": "passport", "TD1": "id_card", "TD2": "id_card", "MRVA": "visa", "MRVB": "visa"}
    assert ("document_number", "UTOL898902C3") in document_of(parse_mrz(SPECIMENS["TD3"])).identifiers


@st.composite
def zones(draw: st.DrawFn) -> tuple[MrzFormat, tuple[str, ...]]:
    """A valid zone of any format with random contents."""
    layout = draw(st.sampled_from(FORMATS))
    rows = [list("<" * layout.length) for _ in range(layout.lines)]

    def put(name: str, text: str) -> None:
        field = next(field for field in layout.fields if field.name == name)
        padded = text.ljust(field.end - field.start, "<")[: field.end - field.start]
        rows[field.line][field.start : field.end] = list(padded)

    letters = st.text(string.ascii_uppercase, min_size=1, max_size=10)
    visa = layout.name.startswith("MRV")
    put("document_code", "V" if visa else draw(st.sampled_from("PIAC")) if layout is not TD1 else "I")
    put("issuer", draw(st.sampled_from(["UTO", "CHN", "DEU", "D<<"])))
    put("nationality", "UTO")
    put("names", f"{draw(letters)}<<{draw(letters)}")
    put("document_number", draw(st.text(alphanumeric, min_size=9, max_size=9)))
    for name in ("birth_date", "expiry_date"):
        put(name, f"{draw(st.integers(0, 99)):02d}{draw(st.integers(1, 12)):02d}{draw(st.integers(1, 28)):02d}")
    put("sex", draw(st.sampled_from("MFX<")))
    put("optional", draw(st.text(alphanumeric, max_size=6)))
    for check in layout.checks:
        span = "".join("".join(rows[line])[start:end] for line, start, end in check.over)
        rows[check.line][check.column] = str(check_digit(span))
    return layout, tuple("".join(row) for row in rows)


@given(zones())
def test_every_zone_that_is_made_right_parses_as_valid(made: tuple[MrzFormat, tuple[str, ...]]) -> None:
    layout, lines = made
    mrz = parse_mrz(lines)
    assert mrz.layout is layout and mrz.valid, mrz.checks
    assert repair_mrz(lines).repaired == ()


@given(zones(), st.data())
def test_one_wrong_character_that_a_check_covers_is_never_valid(
    made: tuple[MrzFormat, tuple[str, ...]], data: st.DataObject
) -> None:
    layout, lines = made
    row, column = data.draw(st.sampled_from(sorted(layout.protected())))
    old = lines[row][column]
    new = data.draw(st.sampled_from([c for c in layout.allowed(row, column) if c != old]))
    # Weights 7, 3, 1 cannot see an exchange of values that agree modulo 10.
    value = {c: i for i, c in enumerate(alphanumeric)} | {"<": 0}
    assume((value[old] - value[new]) % 10 != 0)
    changed = tuple(line[:column] + new + line[column + 1 :] if i == row else line for i, line in enumerate(lines))
    assert not parse_mrz(changed).valid


@given(zones(), st.data())
def test_letters_read_in_numeric_places_are_set_right(
    made: tuple[MrzFormat, tuple[str, ...]], data: st.DataObject
) -> None:
    _, lines = made
    confused = {"0": "O", "1": "I", "2": "Z", "5": "S", "6": "G", "8": "B"}
    layout = made[0]
    places = [
        (field.line, column)
        for field in layout.fields
        if field.kind == "date"
        for column in range(field.start, field.end)
        if lines[field.line][column] in confused
    ]
    assume(places)
    chosen = data.draw(st.lists(st.sampled_from(places), unique=True, min_size=1, max_size=4))
    rows = [list(line) for line in lines]
    for row, column in chosen:
        rows[row][column] = confused[lines[row][column]]
    repaired = repair_mrz(tuple("".join(row) for row in rows))
    assert repaired.lines == lines and repaired.valid
    assert set(repaired.repaired) == set(chosen)


@given(zones(), st.data())
def test_a_repair_is_the_truth_or_is_not_valid_or_agrees_with_every_check(
    made: tuple[MrzFormat, tuple[str, ...]], data: st.DataObject
) -> None:
    layout, lines = made
    field = next(field for field in layout.fields if field.name == "document_number")
    column = data.draw(st.integers(field.start, field.end - 1))
    new = data.draw(st.sampled_from(alphanumeric))
    line = lines[field.line]
    damaged = tuple(
        line[:column] + new + line[column + 1 :] if row == field.line else text for row, text in enumerate(lines)
    )
    repaired = repair_mrz(damaged)
    if repaired.valid:
        assert all(parse_mrz(repaired.lines).checks.values())
        assert len(repaired.repaired) <= 2


@given(st.lists(st.text(max_size=50), max_size=4).map(tuple))
def test_other_texts_are_no_zones(lines: tuple[str, ...]) -> None:
    assume(not (lines and all(set(line) <= set(alphanumeric + "<") and len(line) in (30, 36, 44) for line in lines)))
    with pytest.raises(PayloadError):
        parse_mrz(lines)
