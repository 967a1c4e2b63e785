"""Challenges, rate limits, published figures and the menu: pure, without a center."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from inspection_center.public import challenge, subjects
from inspection_center.public.limits import RateLimit
from inspection_center.public.statistics import SMALLEST_SHOWN, _suppressed
from inspection_contract.resources import share

SECRET = bytes(range(32))
NOW = 1_800_000_000.0


def test_solved_work_and_a_right_sum_are_taken() -> None:
    work = challenge.make(SECRET, "work", NOW)
    assert challenge.check(SECRET, work.token, challenge.solve_work(work.identity), NOW).identity == work.identity
    total = challenge.make(SECRET, "sum", NOW)
    assert challenge.check(SECRET, total.token, f" {sum(total.terms)} ", NOW).kind == "sum"


def test_wrong_answers_old_and_foreign_challenges_are_refused() -> None:
    total = challenge.make(SECRET, "sum", NOW)
    answer = str(sum(total.terms))
    work = challenge.make(SECRET, "work", NOW)
    for secret, token, given_answer, now in (
        (SECRET, total.token, str(sum(total.terms) + 1), NOW),
        (SECRET, total.token, "", NOW),
        (SECRET, total.token, answer, NOW + challenge.LIFE_S + 1),
        (bytes(32), total.token, answer, NOW),
        (SECRET, work.token, "nothing that solves it", NOW),
        (SECRET, work.token.replace(work.token[:8], "AAAAAAAA"), challenge.solve_work(work.identity), NOW),
        (SECRET, "", "", NOW),
        (SECRET, "é.ü", "1", NOW),
    ):
        with pytest.raises(challenge.ChallengeError):
            challenge.check(secret, token, given_answer, now)


def test_the_token_of_a_sum_does_not_tell_the_sum() -> None:
    total = challenge.make(SECRET, "sum", NOW)
    content = json.loads(base64.urlsafe_b64decode(total.token.split(".")[0]))
    assert set(content) == {"id", "kind", "expires", "answer"}
    assert str(sum(total.terms)) != content["answer"]
    assert len(content["answer"]) == 64


@given(st.text(max_size=600), st.text(max_size=30))
def test_no_token_breaks_the_check(token: str, answer: str) -> None:
    with pytest.raises(challenge.ChallengeError):
        challenge.check(SECRET, token, answer, NOW)


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed (apt-get install nodejs)")
def test_the_script_of_the_page_hashes_as_the_center_does() -> None:
    texts = [("0123456789abcdef:" * 4)[:length] for length in range(1, 56)]
    script = (Path(challenge.__file__).parents[1] / "static" / "public.js").read_text(encoding="utf-8")
    script = script[: script.index("document.addEventListener")]
    script += "console.log(JSON.stringify(JSON.parse(process.argv[1]).map(firstWord)))"
    found = subprocess.run(["node", "-e", script, json.dumps(texts)], capture_output=True, text=True, check=True).stdout
    assert json.loads(found) == [int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") for text in texts]


def test_a_burst_is_cut_off_and_time_lets_it_go_on() -> None:
    limit = RateLimit(3, 60.0)
    assert [limit.allows("a", 0.0) for _ in range(5)] == [True, True, True, False, False]
    assert limit.allows("b", 0.0)
    assert not limit.allows("a", 19.0)
    assert limit.allows("a", 21.0)


@given(st.lists(st.integers(0, 50), min_size=5, max_size=5))
def test_small_counts_are_never_told(numbers: list[int]) -> None:
    names = ("received", "released", "on_documents", "inspected", "unfit")
    shown = _suppressed(dict(zip(names, numbers, strict=True)))
    assert all(value is None or value == 0 or value >= SMALLEST_SHOWN for value in shown.values())
    if 0 < numbers[0] < SMALLEST_SHOWN:
        assert set(shown.values()) == {None}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_menu_is_that_of_the_voice_and_has_answers_under_every_digit(language: str) -> None:
    menu = subjects.subjects(language, date(2026, 11, 20))
    voice = yaml.safe_load((share() / "config" / "text" / language / "voice.yaml").read_text(encoding="utf-8"))["menu"]
    assert menu.names == {digit: voice[str(digit)] for digit in range(1, 10)}
    assert menu.title == voice["title"]
    assert set(menu.answers) == set(range(1, 9))
    assert all(answers and all(one.sources for one in answers) for answers in menu.answers.values())


def test_answers_that_are_not_in_force_are_not_shown() -> None:
    assert all(not answers for answers in subjects.subjects("en", date(1900, 1, 1)).answers.values())
