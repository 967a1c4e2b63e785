from __future__ import annotations

import array
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from inspection_contract.commands import WatchlistEntry, WatchlistUpdate
from inspection_contract.sealing import identifier_digest
from inspection_contract.signatures import SigningKey
from inspection_robot.bridge.credentials import Credentials, write_credentials
from inspection_robot.bridge.orders import apply_watchlist
from tests.documents.pictures import code_picture

pytestmark = pytest.mark.ros


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bridge's folder with credentials and a watch-list that holds one bag tag."""
    monkeypatch.setenv("INSPECTION_STATE", str(tmp_path / "state"))
    import base64

    secret = secrets.token_bytes(32)
    key = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
    signing = SigningKey.generate()
    path = tmp_path / "bridge"
    path.mkdir()
    write_credentials(
        path / "credentials.json",
        Credentials("https://center.example", "robot_1", "token", signing.to_text(), signing.public.to_text(), key),
    )
    digest = identifier_digest(secret, "bag_tag", "0999123456")
    entry = WatchlistEntry(id="w17", kind="bag_tag", digest=digest)
    expires = datetime.now(UTC) + timedelta(days=1)
    update = WatchlistUpdate(version="v1", list_expires=expires, entries=(entry,))
    apply_watchlist(path / "watchlist.json", update, datetime.now(UTC))
    return path


def picture_message(gray: np.ndarray) -> Any:
    from sensor_msgs.msg import Image

    colour = cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)
    message = Image(height=gray.shape[0], width=gray.shape[1], encoding="rgb8", step=gray.shape[1] * 3)
    message.data = array.array("B", colour.tobytes())
    return message


def test_a_listed_bag_tag_is_a_detection_whose_messages_hold_no_identifier(ros_graph: Any, folder: Path) -> None:
    from inspection_interfaces.msg import Detection, DocumentRead
    from sensor_msgs.msg import Image

    from inspection_robot.documents.node import DocumentsNode
    from inspection_robot.ros import qos

    reads = ros_graph.record(DocumentRead, "documents/reads", qos.EVENT)
    found = ros_graph.record(Detection, "detections", qos.ALARM)
    overrides = {"bridge_folder": str(folder), "rate_hz": 20.0, "read_zones": False, "budget_s": 2.0}
    ros_graph.activate(ros_graph.make(DocumentsNode, overrides=overrides))
    pictures = ros_graph.probe.create_publisher(Image, "camera/image_raw", qos.SENSOR)
    message = picture_message(code_picture("0999123456", "ITF"))

    def step() -> bool:
        message.header.stamp = ros_graph.probe.get_clock().now().to_msg()
        message.header.frame_id = "camera_optical_frame"
        pictures.publish(message)
        return bool(found and reads)

    ros_graph.spin_until(step)
    assert found[0].kind == "document.watchlist"
    assert {a.key: a.value for a in found[0].attributes}["entry"] == "w17"
    assert found[0].evidence[0].retention == "personal"
    assert (reads[0].kind, reads[0].watchlist_id, reads[0].valid) == ("bag_tag", "w17", True)
    assert reads[0].frames >= 2
    assert len(reads[0].identifier_hash) == 64
    for sent in (found[0], reads[0]):
        assert "0999123456" not in repr(sent)


def test_a_robot_that_is_not_enrolled_reads_documents_all_the_same(
    ros_graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inspection_interfaces.msg import DocumentRead
    from sensor_msgs.msg import Image

    from inspection_robot.documents.node import DocumentsNode
    from inspection_robot.ros import qos

    monkeypatch.setenv("INSPECTION_STATE", str(tmp_path / "state"))
    reads = ros_graph.record(DocumentRead, "documents/reads", qos.EVENT)
    ros_graph.activate(ros_graph.make(DocumentsNode, overrides={"read_zones": False, "budget_s": 2.0}))
    pictures = ros_graph.probe.create_publisher(Image, "camera/image_raw", qos.SENSOR)
    message = picture_message(code_picture("CSQU3054383", "QRCode"))

    def step() -> bool:
        message.header.stamp = ros_graph.probe.get_clock().now().to_msg()
        pictures.publish(message)
        return bool(reads)

    ros_graph.spin_until(step)
    assert (reads[0].kind, reads[0].watchlist_id) == ("container", "")
