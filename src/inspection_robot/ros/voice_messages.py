"""What the voice node publishes, made of the pure modules' values."""

from __future__ import annotations

import math
import uuid
from typing import Any

import numpy as np
from diagnostic_msgs.msg import KeyValue
from inspection_interfaces.msg import Answer, Detection, Utterance
from std_msgs.msg import Header
from unique_identifier_msgs.msg import UUID

from inspection_robot.voice.dialogue import Reply
from inspection_robot.voice.listening import Utterance as Heard
from inspection_robot.voice.reception import HandOver


def to_utterance(header: Header, heard: Heard, session: str) -> Any:
    """Make a final inspection_interfaces/Utterance."""
    return Utterance(
        header=header, session=session, language=heard.language, text=heard.text, final=True,
        confidence=heard.confidence, words=[w.text for w in heard.words],
        word_starts_s=[w.start_s for w in heard.words], word_ends_s=[w.end_s for w in heard.words],
        duration_s=heard.duration_s,
    )  # fmt: skip


def to_answer(header: Header, reply: Reply, state: str, priority: int) -> Any:
    """Make an inspection_interfaces/Answer: a caption."""
    return Answer(
        header=header, session=reply.session, language=reply.language, text=reply.text, answer_id=reply.answer_id,
        refused=reply.refused, score=reply.score, sources=list(reply.sources), priority=priority, state=state,
    )  # fmt: skip


def to_hand_over(header: Header, wanted: HandOver) -> Any:
    """Make the inspection_interfaces/Detection ``voice.hand_over``, an alert at the center."""
    attributes = {
        "session": wanted.session, "language": wanted.language, "question": wanted.question, "reason": wanted.reason
    }  # fmt: skip
    return Detection(
        header=header, uuid=UUID(uuid=np.frombuffer(uuid.uuid4().bytes, np.uint8)), kind="voice.hand_over",
        severity=Detection.SEVERITY_ALARM, confidence=1.0, value=math.nan, standard_uncertainty=math.nan,
        subject=wanted.person, attributes=[KeyValue(key=key, value=value) for key, value in attributes.items()],
    )  # fmt: skip
