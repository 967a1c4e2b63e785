from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from inspection_robot.cli.__main__ import main
from inspection_robot.thermal.calibrate_command import read_sweep
from tests.data import need
from tests.thermal.files import centikelvin, room, with_disc, write_cptv


def lines(capsys: pytest.CaptureFixture[str]) -> tuple[list[dict], list[str]]:
    captured = capsys.readouterr()
    return [json.loads(line) for line in captured.out.splitlines()], captured.err.splitlines()


def test_bad_files_are_named_one_line_each_and_the_good_one_is_still_screened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cptv(tmp_path / "good.cptv", [centikelvin(with_disc(room(seed=n), 100, 20, 6, 36.0)) for n in range(5)])
    (tmp_path / "cut.cptv").write_bytes((tmp_path / "good.cptv").read_bytes()[:-200])
    (tmp_path / "empty").write_bytes(b"")
    names = [str(tmp_path / name) for name in ("missing", "empty", "cut.cptv", "good.cptv")]
    assert main(["screen", "--json", *names, str(tmp_path)]) == 2
    records, errors = lines(capsys)
    assert [record["summary"]["frames"] for record in records] == [5]
    assert records[0]["file"] == names[3]
    assert len(errors) == 4
    for name, fault in zip(("missing", "empty", "cut.cptv"), ("no such file", "is empty", "truncated"), strict=True):
        assert any(name in error and fault in error for error in errors)


def test_temperatures_are_written_as_they_were_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = room()
    np.save(tmp_path / "one.npy", picture)
    np.save(tmp_path / "three.npy", np.stack([picture] * 3))
    out = tmp_path / "out"
    assert main(["screen", str(tmp_path / "one.npy"), str(tmp_path / "three.npy"), "--celsius", str(out)]) == 0
    assert np.array_equal(np.load(out / "one.npy"), picture)
    assert np.load(out / "three.npy").shape == (3, 120, 160)
    assert "0 of 0 read" in capsys.readouterr().out


def test_an_impossible_reference_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["screen", "x", "--reference-celsius", "370"]) == 2
    assert "20 … 60" in capsys.readouterr().err


def test_a_scanned_person_is_read_and_an_empty_room_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    folder = need("thermal/feverscreen_cptv")
    manifest = json.loads((folder / "manifest.json").read_text())
    for scanned in ("1", "0"):
        entry = next(e for e in manifest if e["label_scanned"] == scanned)
        reference = str(entry["thermalref_calibration_C"])
        assert main(["screen", "--json", str(folder / entry["file"]), "--reference-celsius", reference]) == 0
        records, _ = lines(capsys)
        ok = [record for record in records if record.get("status") == "ok"]
        assert bool(ok) == (scanned == "1")
        assert records[-1]["summary"]["ok"] == len(ok)
        for record in ok:
            assert 34.0 < record["temperature_c"] < 40.0
            assert 0.3 < record["uncertainty_c"] < 1.0
            assert record["site"] in ("canthi", "face")
        for record in records[:-1]:
            if record["status"] == "indeterminate":
                assert record["reason"]
                assert record["temperature_c"] is None


def test_calibration_judges_a_sweep_of_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ["set_c,file"]
    for set_c in (35, 36, 37, 38, 39, 40):
        name = f"{set_c}.npy"
        np.save(tmp_path / name, np.stack([with_disc(room(seed=n), 80, 60, 7, set_c - 1.3) for n in range(3)]))
        rows.append(f"{set_c},{name}")
    (tmp_path / "sweep.csv").write_text("\n".join(rows))
    picture = tmp_path / "sweep.png"
    assert (
        main(["calibrate", "thermal", "--sweep", str(tmp_path / "sweep.csv"), "--picture", str(picture), "--json"]) == 0
    )
    (report,), _ = lines(capsys)
    assert report["usable"]
    assert report["sweep"]["slope"] == pytest.approx(1.0, abs=0.01)
    assert report["sweep"]["offset_c"] == pytest.approx(-1.3, abs=0.05)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_camera_that_pulls_to_normal_fails_calibration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{t},{36.8 + 0.7 * (t - 36.8):.2f}" for t in range(35, 41)]
    (tmp_path / "sweep.csv").write_text("\n".join(rows))
    assert main(["calibrate", "thermal", "--sweep", str(tmp_path / "sweep.csv")]) == 1
    assert "not usable: slope" in capsys.readouterr().out


def test_stability_of_a_reference_in_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = [centikelvin(with_disc(room(seed=n), 100, 20, 6, 36.0)) for n in range(20)]
    write_cptv(tmp_path / "a.cptv", frames)
    assert main(["calibrate", "thermal", "--stability", str(tmp_path / "a.cptv"), "--json"]) == 0
    (report,), _ = lines(capsys)
    assert report["stability"]["seen"] == 1.0
    assert report["stability"]["noise_c"] < 0.05


def test_sweeps_that_cannot_be_used_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "short.csv").write_text("36,36.1\n37,37.1\n")
    (tmp_path / "words.csv").write_text("36,36.1\nwarm,37\n")
    (tmp_path / "lost.csv").write_text("36,a.npy\n37,37\n38,38\n")
    np.save(tmp_path / "a.npy", room())
    for name, fault in (("short.csv", "three points"), ("words.csv", "row 2"), ("lost.csv", "no disc")):
        assert main(["calibrate", "thermal", "--sweep", str(tmp_path / name)]) == 2
        assert fault in capsys.readouterr().err
    assert main(["calibrate", "thermal"]) == 2
    assert main(["calibrate", "thermal", "--stability", "a.cptv", "--picture", "a.png"]) == 2
    assert "give --sweep" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["calibrate", "laser"])
    assert len(read_sweep_ok(tmp_path)) == 3


def read_sweep_ok(folder: Path) -> np.ndarray:
    (folder / "ok.csv").write_text("# a comment\nset_c,read_c\n36,36.1\n37,37\n38,38\n")
    return read_sweep(folder / "ok.csv")[0]
