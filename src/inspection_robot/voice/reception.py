"""Who is answered, and what becomes of it: wake rules, sessions by person, consent, transcript, hand-over, ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from inspection_robot.voice.attention import UNKNOWN_PERSON, Attention, Wake, WakePhrase
from inspection_robot.voice.dialogue import Dialogue, Reply, Session
from inspection_robot.voice.knowledge import Language
from inspection_robot.voice.phrases import Phrases
from inspection_robot.voice.privacy import TranscriptStore, without_personal_data

CALLED_S = 60.0
"""So long the robot listens to anybody after it has spoken to somebody because of an incident [s]."""

LEFT_S = 20.0
"""A traveller who has not been near for so long has gone [s]."""

LOST_TRACK_S = 5.0
"""Within this time a new track at the robot takes over the conversation of one that was lost [s]."""

REPEAT_WITHIN_S = 20.0
"""Only who was answered this recently is told that he was not understood [s]."""

LOUD_DBFS = -35.0
"""Ambient noise from which not understanding is put down to it."""


@dataclass(frozen=True)
class HandOver:
    """An officer is wanted; personal data is removed from the question."""

    session: str
    person: str
    language: Language
    question: str
    reason: Literal["asked", "not_known"]


@dataclass(frozen=True)
class Outcome:
    """What the robot does about what it heard or read.

    Attributes:
        notice: what the traveller must be told about the transcript; :meth:`Reception.told` when he was.
    """

    reply: Reply
    notice: str = ""
    hand_over: HandOver | None = None


class Reception:
    """Everything between a text and what is done about it. Not safe for several threads at once.

    Args:
        dialogue: the conversations.
        attention: who is near.
        store: the transcripts.
        phrases: what the robot says of itself.
        wake: what makes the robot listen, besides its name.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        attention: Attention,
        store: TranscriptStore,
        phrases: Phrases,
        wake: Wake,
        clock: Callable[[], float],
    ) -> None:
        self.dialogue, self.attention = dialogue, attention
        self._store, self._phrases, self._wake, self._clock = store, phrases, wake, clock
        self._name = WakePhrase({"zh": phrases.text("wake_phrase", "zh"), "en": phrases.text("wake_phrase", "en")})
        self._called_until = -1.0
        self._held: dict[str, list[tuple[str, str, str, str, bool]]] = {}
        self._ended: list[Reply] = []
        dialogue.on_end = self._end

    def call(self) -> None:
        """Listen to whoever is there for a while: the robot has spoken to somebody because of an incident."""
        self._called_until = self._clock() + CALLED_S

    def hear(self, text: str, language: Language) -> Outcome | None:
        """Answer what was heard; None when it was not meant for the robot."""
        person = self.attention.nearest()
        running = self._running(person)
        question = self._name.split(text, language)
        named = question is not None
        if running is None and not named and not self._listens(person):
            return None
        session = running or self.dialogue.session(person=person or UNKNOWN_PERSON)
        session.touched_s = self._clock()
        if named and not question:
            reply = self.dialogue.greet(session, language)
            return self._finish(text, session, reply, session.handed_over)
        meant = named or session.answered > 0 or (self.attention.knows and person is not None) or self._wake == "always"
        called = session.handed_over
        reply = self.dialogue.respond(question or text, session, language)
        if reply.refused and not meant:
            session.answered = 0
            self.dialogue.end(session)  # talk that was overheard: no officer is called for it
            return None
        return self._finish(text, session, reply, called)

    def read(self, text: str, session_id: str, language: Language | None) -> Outcome:
        """Answer what was typed."""
        session = self.dialogue.session(session_id)
        called = session.handed_over
        return self._finish(text, session, self.dialogue.respond(text, session, language), called)

    def not_understood(self, ambient_dbfs: float) -> Reply | None:
        """Say so to a traveller in conversation, once; None when nobody is."""
        session = self._running(self.attention.nearest())
        if session is None or self._clock() - session.touched_s > REPEAT_WITHIN_S or session.language is None:
            return None
        if session.last is not None and session.last.kind == "not_heard":
            return None
        key = "noisy" if ambient_dbfs > LOUD_DBFS else "not_heard"
        session.last = Reply(session.id, session.language, "not_heard", self._phrases.text(key, session.language))
        session.touched_s = self._clock()
        return session.last

    def told(self, session_id: str) -> None:
        """The traveller has been told of the transcript."""
        session = next((s for s in self.dialogue.sessions if s.id == session_id), None)
        if session is not None and session.consent == "unasked":
            session.consent = "asked"

    def officer(self, texts: Mapping[Language, str]) -> str:
        """An officer has answered: to the session that waits for one, whose id is returned; empty when none does."""
        waiting = [session for session in self.dialogue.sessions if session.handed_over]
        if not waiting:
            return ""
        session = max(waiting, key=lambda s: s.touched_s)
        session.handed_over, session.touched_s = False, self._clock()
        for language, text in texts.items():
            self._record(session, "officer", language, text)
        return session.id

    def expire(self) -> list[Reply]:
        """End the sessions of who is silent or has gone; returns what is shown at their end."""
        self.dialogue.expire()
        for session in self.dialogue.sessions:
            if session.person and not session.handed_over and self.attention.away_s(session.person) > LEFT_S:
                self.dialogue.end(session)
        ended, self._ended = self._ended, []
        return ended

    def _listens(self, person: str | None) -> bool:
        if self._wake == "always" or self._clock() < self._called_until:
            return True
        return self._wake == "near" and person is not None

    def _running(self, person: str | None) -> Session | None:
        """The spoken session of a person; a new track takes over that of one that was just lost."""
        spoken = [session for session in self.dialogue.sessions if session.person]
        own = next((s for s in spoken if s.person == person or (person is None and s.person == UNKNOWN_PERSON)), None)
        if own is not None or person is None:
            return own
        lost = [
            s for s in spoken
            if s.person == UNKNOWN_PERSON or 0.0 < self.attention.away_s(s.person) <= LOST_TRACK_S
            or person == UNKNOWN_PERSON
        ]  # fmt: skip
        if len(lost) != 1:
            return None
        lost[0].person = person
        return lost[0]

    def _finish(self, text: str, session: Session, reply: Reply, called: bool) -> Outcome:
        """Keep the transcript; ask for an officer once; add the notice when it is due."""
        self._record(session, "traveller", reply.language, text)
        self._record(session, "robot", reply.language, reply.text, reply.answer_id, reply.refused)
        hand_over = None
        if reply.hand_over and not called:
            question = session.question.get(reply.language, text)
            reason: Literal["asked", "not_known"] = "not_known" if reply.refused else "asked"
            person = "" if session.person == UNKNOWN_PERSON else session.person
            hand_over = HandOver(session.id, person, reply.language, without_personal_data(question), reason)
        if not any(session is running for running in self.dialogue.sessions):
            self._end(session)  # it has ended with this reply
        notice = ""
        if self._store.keeps and session.consent == "unasked" and reply.kind not in ("not_heard", "farewell"):
            notice = self._phrases.text("consent", reply.language, {"days": str(self._store.retention_days)})
        return Outcome(reply, notice, hand_over)

    def _record(
        self, session: Session, speaker: str, language: str, text: str, answer_id: str = "", refused: bool = False
    ) -> None:
        """Write a line, or hold it until the traveller has been told and gone on, or drop it when he refuses."""
        self._held.setdefault(session.id, []).append((speaker, language, text, answer_id, refused))
        if session.consent == "given":
            self._write(session)
        elif session.consent == "refused":
            self._held.pop(session.id)
            self._store.forget(session.id)

    def _write(self, session: Session) -> None:
        for line in self._held.pop(session.id, ()):
            self._store.add(session.id, *line)

    def _end(self, session: Session) -> None:
        """A session is over: who was told of the transcript and did not object has it kept."""
        if session.consent in ("asked", "given"):
            self._write(session)
        self._held.pop(session.id, None)
        if session.answered and (session.last is None or session.last.kind != "farewell"):
            language = session.language or "zh"
            key = "no_officer" if session.handed_over else "time_out"
            self._ended.append(Reply(session.id, language, "farewell", self._phrases.text(key, language)))
