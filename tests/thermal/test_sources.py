from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspection_contract.errors import InputError
from inspection_robot.thermal.sources.camera import frame_from_raw, parse_telemetry
from inspection_robot.thermal.sources.recording import open_recording
from tests.data import need
from tests.thermal.files import centikelvin, cptv_bytes_with_size, flir_jpeg, room, write_cptv

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def drain(path: Path) -> int:
    return sum(1 for _ in open_recording(path).frames())


def test_cptv_gives_temperatures_times_and_the_last_correction(tmp_path: Path) -> None:
    pictures = [room(seed=n) for n in range(4)]
    write_cptv(tmp_path / "a.cptv", [centikelvin(p) for p in pictures])
    recording = open_recording(tmp_path / "a.cptv")
    frames = list(recording.frames())
    assert (recording.format, recording.width, recording.height, len(frames)) == ("CPTV", 160, 120, 4)
    assert all(np.abs(f.celsius - p).max() <= 0.006 for f, p in zip(frames, pictures, strict=True))
    assert frames[1].time_s - frames[0].time_s == pytest.approx(0.111)
    assert frames[0].seconds_since_ffc == pytest.approx(59.0)


def test_truncated_cptv_is_named_and_never_passes_for_a_shorter_recording(tmp_path: Path) -> None:
    path = tmp_path / "a.cptv"
    write_cptv(path, [centikelvin(room(seed=n)) for n in range(6)])
    whole = path.read_bytes()
    for length in range(20, len(whole) - 1, len(whole) // 9):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            drain(path)


def test_cptv_claiming_a_giant_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.cptv").write_bytes(cptv_bytes_with_size(1 << 20, 1 << 20))
    with pytest.raises(InputError, match="sides must be"):
        open_recording(tmp_path / "a.cptv")


@pytest.mark.parametrize("as_png", [True, False])
@pytest.mark.parametrize("segments", [1, 3])
def test_radiometric_jpeg_in_any_storage_gives_the_same_temperatures(
    tmp_path: Path, as_png: bool, segments: int
) -> None:
    counts = np.linspace(17000, 21000, 80 * 60).reshape(60, 80).astype(np.uint16)
    path = tmp_path / "a.jpg"
    path.write_bytes(flir_jpeg(counts, as_png=as_png, segments=segments))
    recording = open_recording(path)
    celsius = next(recording.frames()).celsius
    assert "TEST E60" in recording.camera
    assert celsius.shape == (60, 80)
    assert np.all(np.diff(celsius.ravel()) >= 0)
    # By hand: the Planck curve of the constants above, nearly transparent air at 1 m.
    signal = float(counts[30, 40])
    blackbody = 1396.5 / np.log(14906.2 / (0.0106 * (signal - 6303)) + 1.0) - 273.15
    assert celsius[30, 40] == pytest.approx(blackbody, abs=2.0)
    assert celsius[30, 40] > blackbody  # emissivity below one


@pytest.mark.parametrize("name", ["ax8", "flir_example"])
def test_radiometric_jpegs_equal_the_reference_arrays(name: str) -> None:
    folder = need("thermal/radiometric")
    celsius = next(open_recording(folder / f"{name}.jpg").frames()).celsius
    assert np.abs(celsius - np.load(folder / f"{name}_celsius_reference.npy")).max() < 0.01


def test_jpeg_without_thermal_data_is_named(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((60, 80, 3), np.uint8))
    with pytest.raises(InputError, match="without thermal data"):
        open_recording(tmp_path / "a.jpg")


def test_a_missing_thermal_segment_is_named(tmp_path: Path) -> None:
    jpeg = flir_jpeg(np.full((60, 80), 15000, np.uint16), segments=3)
    second = jpeg.index(b"\xff\xe1", 4)
    (length,) = struct.unpack_from(">H", jpeg, second + 2)
    (tmp_path / "a.jpg").write_bytes(jpeg[:second] + jpeg[second + 2 + length :])
    with pytest.raises(InputError, match="2 of 3"):
        open_recording(tmp_path / "a.jpg")


@FUZZ
@given(cut=st.integers(0, 3000), position=st.integers(0, 5000), value=st.integers(0, 255))
def test_damaged_radiometric_jpeg_never_raises_anything_but_one_line(
    tmp_path: Path, cut: int, position: int, value: int
) -> None:
    data = bytearray(flir_jpeg(np.random.default_rng(1).integers(13000, 16000, (60, 80)).astype(np.uint16)))
    data[position % len(data)] = value
    (tmp_path / "a.jpg").write_bytes(bytes(data[: len(data) - cut]))
    try:
        drain(tmp_path / "a.jpg")
    except InputError as error:
        assert "\n" not in str(error)


@FUZZ
@given(position=st.integers(0, 100_000), value=st.integers(0, 255))
def test_damaged_cptv_never_raises_anything_but_one_line(tmp_path: Path, position: int, value: int) -> None:
    path = tmp_path / "a.cptv"
    if not path.exists():
        write_cptv(path, [centikelvin(room(seed=n)) for n in range(2)])
    data = bytearray(path.read_bytes())
    data[position % len(data)] = value
    (tmp_path / "b.cptv").write_bytes(data)
    try:
        drain(tmp_path / "b.cptv")
    except InputError as error:
        assert "\n" not in str(error)


@FUZZ
@given(
    magic=st.sampled_from([b"II*\x00", b"MM\x00*", b"\x89PNG\r\n\x1a\n", b"\x93NUMPY", b"\x1f\x8b", b"\xff\xd8\xff"]),
    rest=st.binary(max_size=200),
)
def test_nonsense_behind_a_known_beginning_is_refused_in_one_line(tmp_path: Path, magic: bytes, rest: bytes) -> None:
    (tmp_path / "a").write_bytes(magic + rest)
    with pytest.raises(InputError) as caught:
        drain(tmp_path / "a")
    assert "\n" not in str(caught.value)


def test_sixteen_bit_pictures_and_arrays_give_celsius(tmp_path: Path) -> None:
    picture = room()
    raw = centikelvin(picture)
    cv2.imwrite(str(tmp_path / "a.png"), raw)
    tifffile.imwrite(tmp_path / "a.tiff", np.stack([raw, raw]))
    np.save(tmp_path / "raw.npy", np.stack([raw, raw, raw]))
    np.save(tmp_path / "celsius.npy", picture)
    np.save(tmp_path / "kelvin.npy", picture + 273.15)
    for name, count in (("a.png", 1), ("a.tiff", 2), ("raw.npy", 3), ("celsius.npy", 1), ("kelvin.npy", 1)):
        frames = list(open_recording(tmp_path / name).frames())
        assert len(frames) == count, name
        assert np.abs(frames[-1].celsius - picture).max() < 0.01, name


def test_bad_sequences_are_named(tmp_path: Path) -> None:
    raw = centikelvin(room())
    with tifffile.TiffWriter(tmp_path / "sizes.tiff") as tiff:
        tiff.write(raw)
        tiff.write(raw[:60])
    np.save(tmp_path / "flat.npy", raw.ravel())
    np.save(tmp_path / "four.npy", np.zeros((1, 2, 3, 4), np.uint16))
    np.save(tmp_path / "tiny.npy", raw[:4, :4])
    np.save(tmp_path / "swapped.npy", raw.byteswap())
    np.save(tmp_path / "nan.npy", np.where(np.eye(120, 160) > 0, np.nan, room()).astype(np.float32))
    np.save(tmp_path / "complex.npy", raw.astype(complex))
    np.save(tmp_path / "eight.npy", (raw >> 8).astype(np.uint8))
    cv2.imwrite(str(tmp_path / "eight.png"), (raw >> 8).astype(np.uint8))
    cv2.imwrite(str(tmp_path / "whole.png"), raw)
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:-40])
    (tmp_path / "empty.cptv").write_bytes(b"")
    (tmp_path / "text.txt").write_text("hello")
    expected = {
        "sizes.tiff": "different sizes", "flat.npy": "shape", "four.npy": "shape", "tiny.npy": "sides must be",
        "swapped.npy": "wrong order", "nan.npy": "not finite", "complex.npy": "type", "eight.npy": "8-bit",
        "eight.png": "16-bit", "cut.png": "truncated", "empty.cptv": "is empty", "text.txt": "not a thermal recording",
        "missing": "no such file", ".": "is a directory",
    }  # fmt: skip
    for name, fault in expected.items():
        with pytest.raises(InputError, match=fault):
            drain(tmp_path / name)


def test_npy_header_claiming_more_than_the_file_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<u2", "fortran_order": False, "shape": (4000, 4000, 4000)})
    (tmp_path / "a.npy").write_bytes(buffer.getvalue() + bytes(100))
    with pytest.raises(InputError, match="damaged NPY"):
        open_recording(tmp_path / "a.npy")


def lepton_picture(status: int) -> np.ndarray:
    raw = np.zeros((122, 160), np.uint16)
    raw[:120] = centikelvin(room())
    raw[120, 1:3] = (100_000 & 0xFFFF, 100_000 >> 16)
    raw[120, 3:5] = (status & 0xFFFF, status >> 16)
    raw[120, 30:32] = (88_000 & 0xFFFF, 88_000 >> 16)
    return raw


def test_lepton_telemetry_tells_the_time_since_the_correction() -> None:
    telemetry = parse_telemetry(lepton_picture(3 << 4)[120])
    assert telemetry.time_on_s == 100.0
    assert telemetry.seconds_since_ffc == 12.0
    assert not telemetry.ffc_running
    frame = frame_from_raw(lepton_picture(2 << 4), 5.0)
    assert frame.celsius.shape == (120, 160)
    assert frame.ffc_running


def test_camera_pictures_that_are_not_radiometric_are_refused() -> None:
    raw = centikelvin(room())
    with pytest.raises(InputError, match="8-bit"):
        frame_from_raw(raw >> 8, 0.0)
    with pytest.raises(InputError, match="wrong order"):
        frame_from_raw(raw.byteswap(), 0.0)
    with pytest.raises(InputError, match=r"not in 0\.01 K"):
        frame_from_raw(raw // 3, 0.0)
