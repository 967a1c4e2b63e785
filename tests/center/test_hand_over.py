"""A traveller whom the robot could not answer: an alert at the center, and the officer's words back to the robot."""

from __future__ import annotations

from uuid import uuid4

from inspection_contract.client import CenterClient
from inspection_contract.commands import Announcement
from tests.center.running import RunningCenter
from tests.center.test_ingest import events
from tests.center.test_pages import csrf
from tests.contract.builders import detection


def test_an_officer_reads_the_question_and_his_answer_goes_to_that_robot(running: RunningCenter) -> None:
    robot = running.enrol("robot_1")
    running.enrol("robot_2")
    question = "may I import a <b>tractor</b>"
    wanted = detection(
        kind="voice.hand_over", value=None, unit="", standard_uncertainty=None, evidence=(),
        attributes={"session": "5f", "language": "en", "question": question, "reason": "not_known"},
    )  # fmt: skip
    with CenterClient(running.url, robot.token) as client:
        client.send_events(robot.name, robot.key, events(robot.name, [wanted], outbox=uuid4()))
    running.add_account("li", "officer")
    with running.browser("li") as http:
        page = http.get(f"/alerts/{wanted.uuid}").text
        assert "may I import a &lt;b&gt;tractor&lt;/b&gt;" in page
        assert 'action="/announcements"' in page and 'name="robot" value="robot_1"' in page
        form = {**csrf(http), "robot": "robot_1", "text_en": "I am coming to you.", "priority": "1"}
        assert http.post("/announcements", data=form).is_success
    with CenterClient(running.url, robot.token) as client:
        told = next(client.stream_commands(0))
    answer = Announcement.model_validate(told.data)
    assert (told.robot, answer.text_en, int(answer.priority)) == ("robot_1", "I am coming to you.", 1)


def test_other_alerts_have_no_form_for_an_answer(running: RunningCenter) -> None:
    robot, found = running.enrol("robot_1"), detection()
    with CenterClient(running.url, robot.token) as client:
        client.send_events(robot.name, robot.key, events(robot.name, [found], outbox=uuid4()))
    running.add_account("li", "officer")
    with running.browser("li") as http:
        assert 'action="/announcements"' not in http.get(f"/alerts/{found.uuid}").text
