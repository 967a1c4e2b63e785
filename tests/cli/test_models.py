"""Third-party models: fetched from their address, checked by digest, never installed when damaged."""

import functools
import hashlib
import http.server
import threading
import zipfile

import pytest
import yaml

from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_robot.cli.__main__ import main
from inspection_robot.model_files import find


@pytest.fixture
def publisher(tmp_path, monkeypatch):
    """A share folder whose manifest names models on a real HTTP server on loopback."""
    served = tmp_path / "served"
    served.mkdir()
    (served / "good.onnx").write_bytes(b"good bytes")
    with zipfile.ZipFile(served / "pack.zip", "w") as archive:
        archive.writestr("pack/conf/model.conf", "--x=1")
    with zipfile.ZipFile(served / "evil.zip", "w") as archive:
        archive.writestr("../outside.txt", "gotcha")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    here = tmp_path / "share"
    for folder in ("config", "launch", "models"):
        (here / folder).mkdir(parents=True)

    def entry(name, **more):
        path = served / name
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "0" * 64
        address = f"http://127.0.0.1:{server.server_port}/{name}"
        return {
            "name": name,
            "use": "test",
            "address": address,
            "licence": "MIT",
            "sha256": found,
            "bytes": None,
            **more,
        }

    entries = [
        entry("good.onnx"),
        entry("pack.zip", unpack="pack"),
        entry("evil.zip", unpack="evil"),
        entry("gone.onnx"),
        {**entry("good.onnx"), "name": "altered.onnx", "sha256": "1" * 64},  # not what is served there
    ]
    (here / "models" / "manifest.yaml").write_text(yaml.safe_dump(entries))
    monkeypatch.setenv("INSPECTION_SHARE", str(here))
    monkeypatch.delenv("INSPECTION_MODELS", raising=False)
    share.cache_clear()
    yield here
    server.shutdown()
    server.server_close()
    share.cache_clear()


def test_a_fetched_model_is_found_and_checks_out(publisher, capsys):
    with pytest.raises(InputError, match=r"good.onnx: model not found; run `./robot models fetch`"):
        find("good.onnx")
    assert main(["models", "check", "good.onnx"]) == 1
    assert main(["models", "fetch", "good.onnx"]) == 0
    assert find("good.onnx").read_bytes() == b"good bytes"
    assert main(["models", "check", "good.onnx"]) == 0
    assert "present" in capsys.readouterr().out


def test_an_archive_is_unpacked(publisher):
    assert main(["models", "fetch", "pack.zip"]) == 0
    assert (find("pack") / "conf" / "model.conf").read_text() == "--x=1"


@pytest.mark.parametrize(
    ("name", "fault"),
    [("altered.onnx", "digest is"), ("gone.onnx", "404"), ("evil.zip", "leads outside evil")],
)
def test_what_cannot_be_trusted_is_not_installed(publisher, capsys, name, fault):
    assert main(["models", "fetch", name]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"robot models: {name}") or name in error
    assert fault in error
    cache = publisher / "models" / "cache"
    assert [path for path in cache.iterdir() if path.name != "SHA256SUMS"] == []
    assert not (publisher / "models" / "outside.txt").exists()


def test_a_model_whose_bytes_changed_is_damaged(publisher, capsys):
    assert main(["models", "fetch", "good.onnx"]) == 0
    find("good.onnx").write_bytes(b"other")
    assert main(["models", "check", "good.onnx"]) == 1
    assert "damaged" in capsys.readouterr().out


def test_the_models_folder_of_the_user_comes_first(publisher, tmp_path, monkeypatch):
    assert main(["models", "fetch", "good.onnx"]) == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "good.onnx").write_bytes(b"mine")
    monkeypatch.setenv("INSPECTION_MODELS", str(tmp_path / "mine"))
    assert find("good.onnx").read_bytes() == b"mine"
