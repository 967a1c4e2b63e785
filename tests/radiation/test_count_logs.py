"""Readers of recorded counts: what is good is read, what is not is refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_contract.errors import InputError
from inspection_robot.cli.__main__ import main
from inspection_robot.radiation.count_logs import read_count_log
from tests.data import need


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "log"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_csv_rates_become_counts(tmp_path: Path) -> None:
    log = read_count_log(write(tmp_path, "time,cps\n0,2\n1,3\n2,0\n"))
    assert [i.counts for i in log.intervals] == [2, 3, 0]
    assert [i.end_s for i in log.intervals] == [0.0, 1.0, 2.0]


def test_csv_without_a_header_and_with_dates(tmp_path: Path) -> None:
    log = read_count_log(
        write(tmp_path, "2026-01-01T00:00:00Z,0.4\n2026-01-01T00:00:05Z,0.6\n2026-01-01T00:00:10Z,0.2\n")
    )
    assert [i.counts for i in log.intervals] == [2, 3, 1]


def test_csv_per_minute(tmp_path: Path) -> None:
    log = read_count_log(write(tmp_path, "time;cpm\n0;60\n60;120\n120;90\n"))
    assert [i.counts for i in log.intervals] == [60, 120, 90]


def test_damaged_rows_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    log = read_count_log(write(tmp_path, "time,cps\n0,2\nx,y\n1,-3\n2,4\n3,nan\n4,5\n"))
    assert [i.counts for i in log.intervals] == [4, 8, 10]
    assert log.refused_lines == 3
    assert "row 3" in log.first_refusal


def test_a_clock_that_goes_back_is_named(tmp_path: Path) -> None:
    log = read_count_log(write(tmp_path, "time,cps\n0,2\n1,2\n0,2\n1,2\n"))
    assert any("clock" in gap.reason for gap in log.discontinuities)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "empty"),
        (b"   \n\n", "empty"),
        (b"\x00\x01\x02binary", "binary"),
        (b"hello world\nthis is text\n", "not a count log"),
        (b'{"count_rate": 3.1, "time": 1}\n', "smoothed"),
        (b'{"timestamp": 1, "counts": [1, 2]}\n', "not two usable"),
        (b'{"timestamp": 1, "counts": [1, -2]}\n{"timestamp": 2, "counts": "x"}\n', "not two usable"),
        (b"$BNRDD,202,2012-07-23T01:49:07Z,33,4,34,A,4232.4106,N,-8312.4727,W,224.70,A,300,5*00\n", "checksum"),
        (b"# only comments\n", "no readings"),
        (b"time,temperature\n1,2\n", "needs columns"),
    ],
)
def test_what_is_no_count_log_is_refused_with_the_reason(content: bytes, fault: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=fault):
        read_count_log(write(tmp_path, content))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_count_log(tmp_path / "none")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400) | st.text(alphabet='$BNRD,0123456789.*\n{}":timescp-', max_size=400).map(str.encode))
def test_no_bytes_make_anything_but_a_log_or_a_refusal(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = write(tmp_path_factory.mktemp("logs"), data)
    try:
        log = read_count_log(path)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert all(i.counts >= 0 and i.duration_s > 0.0 for i in log.intervals)


def test_corrupt_bgeigie_sentences_are_resynchronised() -> None:
    log = read_count_log(need("radiation/safecast/spec_fixtures_malformed_bgeigie.log"))
    assert log.refused_lines == 1
    assert len(log.intervals) == 9


def test_geigerlog_counts_are_scaled_back() -> None:
    log = read_count_log(need("radiation/gmc_geigerlog/300E-Log-5k-CPS0.32-background-darkness-CPS.log"))
    seconds = sum(i.duration_s for i in log.intervals)
    assert sum(i.counts for i in log.intervals) / seconds == pytest.approx(0.32, abs=0.01)


def test_one_bad_file_does_not_cost_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = tmp_path / "good.csv"
    good.write_text("time,cps\n" + "".join(f"{second},2\n" for second in range(60)))
    assert main(["radwatch", "--json", str(tmp_path / "missing.csv"), str(good)]) == 2
    output = capsys.readouterr()
    result = json.loads(output.out)
    assert (result["file"], result["alarms"]) == (str(good), [])
    assert result["hours"] == pytest.approx(60 / 3600, abs=1e-4)
    assert output.err.count("\n") == 1
    assert "missing.csv" in output.err
