from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from inspection_contract.container_number import check_digit, is_container_number

OWNER = st.text(string.ascii_uppercase, min_size=3, max_size=3)
SERIAL = st.text("0123456789", min_size=6, max_size=6)
NUMBERS = st.builds(lambda owner, kind, serial: owner + kind + serial, OWNER, st.sampled_from("UJZ"), SERIAL)


def test_numbers_painted_on_real_containers_hold() -> None:
    for number in ("CSQU3054383", "MSKU9070323"):
        assert is_container_number(number), number


@given(NUMBERS)
def test_exactly_one_digit_fits(ten: str) -> None:
    assert [digit for digit in "0123456789" if is_container_number(ten + digit)] == [str(check_digit(ten))]


@given(st.text(max_size=20))
def test_no_text_breaks_it(text: str) -> None:
    assert is_container_number(text) in (True, False)
