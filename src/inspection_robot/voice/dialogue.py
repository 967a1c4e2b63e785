"""Conversations: a session for each traveller, with its language, context, menu, clarifications and hand-over."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from inspection_robot.voice.knowledge import Entry, Language
from inspection_robot.voice.phrases import Phrases
from inspection_robot.voice.retrieval import Retriever
from inspection_robot.voice.text import clean, language_of

Kind = Literal[
    "answer",
    "menu",
    "clarify",
    "refused",
    "handed_over",
    "consent",
    "not_heard",
    "greeting",
    "farewell",
    "announcement",
]
Consent = Literal["unasked", "asked", "given", "refused"]

PERSON = 9
SURE = 0.85
"""From this probability on an answer is given without asking back."""

SUGGESTED = 3
MOST_SESSIONS = 200

_DIGITS = {
    **{str(n): n for n in range(1, 10)},
    **dict(zip("一二三四五六七八九", range(1, 10), strict=True)),
    **dict(zip(["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"], range(1, 10), strict=True)),
}  # fmt: skip
_MENU = re.compile(r"(?i)^(the )?(menu|help|options)$|^(菜单|帮助|目录)$")
_PERSON = re.compile(
    r"(?i)\b(speak|talk) (to|with) (a |an |the )?(person|human|officer|someone|somebody|agent)|"
    r"\bcall (a |an |the )?officer|"
    r"(人工|真人)(服务|客服)?|(叫|找|请).{0,4}(工作人员|关员|警官|警察)"
)
_THANKS = re.compile(
    r"(?i)^(no,? )?(thank you|thanks)( very much| a lot)?$|^(good)?bye( bye)?$|^(好的)?(多谢|谢谢)[你您]?$|^再见$"
)
_REPEAT = re.compile(r"(?i)^((please )?(repeat|say) (that|it)( again)?( please)?|pardon)$|^(请)?(再|重)说一(遍|次)$")
_FIRST = re.compile(r"(?i)\b(first|former)\b|第一个|前一个|前者")
_SECOND = re.compile(r"(?i)\b(second|latter|other)\b|第二个|后一个|后者|另一个")
_NO_RECORD = re.compile(
    r"(?i)\b(do not|don't|please don't|stop) (record|keep|store|save)|不同意|不要(记录|保存|录)|别(记录|保存|录)"
)
_NO = re.compile(r"(?i)^(no|no thanks|no thank you|不|不要|不行|不用|不用了|不同意)$")
_FILLER = re.compile(r"[\s,，.。!！?？]+")


@dataclass(frozen=True)
class Reply:
    """What the robot says to an utterance.

    Attributes:
        hand_over: a person is wanted: the center calls an officer.
        score: probability that the answer fits, 0..1.
    """

    session: str
    language: Language
    kind: Kind
    text: str
    answer_id: str = ""
    refused: bool = False
    score: float = 0.0
    sources: tuple[str, ...] = ()
    hand_over: bool = False


@dataclass
class Session:
    """One traveller's conversation.

    Attributes:
        person: track of the traveller; empty for who types.
        consent: whether the traveller was told of the transcript, and has gone on talking or refused it.
        handed_over: an officer has been called and has not answered yet: the session waits longer.
        answered: replies given.
    """

    id: str
    person: str
    touched_s: float
    language: Language | None = None
    question: dict[Language, str] = field(default_factory=dict)
    choice: tuple[Entry, Entry] | None = None
    consent: Consent = "unasked"
    handed_over: bool = False
    answered: int = 0
    last: Reply | None = None


class Dialogue:
    """All conversations of a robot.

    Args:
        retriever: finds answers; may be replaced when the knowledge base changes.
        phrases: what the robot says of itself.
        clock: seconds, monotonic.
        time_out_s: a session untouched for longer has ended; the next word starts a new one.
        officer_wait_s: so long a session waits for the officer it was handed to.
        on_end: called with each session that has ended, however it did.
    """

    def __init__(
        self,
        retriever: Retriever,
        phrases: Phrases,
        clock: Callable[[], float],
        time_out_s: float = 60.0,
        officer_wait_s: float = 300.0,
        on_end: Callable[[Session], None] = lambda _: None,
    ) -> None:
        self.retriever = retriever
        self.on_end = on_end
        self._phrases, self._clock = phrases, clock
        self._time_out_s, self._officer_wait_s = time_out_s, max(time_out_s, officer_wait_s)
        self._sessions: dict[str, Session] = {}

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The running sessions."""
        return tuple(self._sessions.values())

    def session(self, session_id: str = "", person: str = "") -> Session:
        """Return the running session of that id or person, or a new one with an id tied to nobody."""
        self.expire()
        found = self._sessions.get(session_id)
        if found is None and person:
            found = next((s for s in self._sessions.values() if s.person == person), None)
        if found is None:
            while len(self._sessions) >= MOST_SESSIONS:
                self.end(min(self._sessions.values(), key=lambda session: session.touched_s))
            found = Session(uuid.uuid4().hex, person, self._clock())
            self._sessions[found.id] = found
        found.touched_s = self._clock()
        return found

    def expire(self) -> list[Session]:
        """End sessions that have timed out; returns them."""
        now = self._clock()
        ended = [s for s in self._sessions.values() if now - s.touched_s > self._patience_s(s)]
        for session in ended:
            self.end(session)
        return ended

    def end(self, session: Session) -> None:
        """End a session: the traveller has gone."""
        if self._sessions.pop(session.id, None) is not None:
            self.on_end(session)

    def respond(self, text: str, session: Session, language: Language | None = None) -> Reply:
        """Answer an utterance or a typed text."""
        reply = self._respond(clean(text), session, language)
        session.answered += 1
        session.last = reply
        session.handed_over = session.handed_over or reply.hand_over
        if reply.kind == "farewell":
            self.end(session)
        return reply

    def greet(self, session: Session, language: Language) -> Reply:
        """Answer somebody who has only called the robot."""
        session.language = language
        session.answered += 1
        return self._say(session, "greeting", "greeting")

    def _patience_s(self, session: Session) -> float:
        return self._officer_wait_s if session.handed_over else self._time_out_s

    def _respond(self, text: str, session: Session, language: Language | None) -> Reply:
        chosen = language or self._language(text, session)
        session.language = chosen
        if not text:
            return self._say(session, "not_heard", "not_heard")
        plain = text.rstrip("。.！!？?").strip().lower()
        small_talk = self._small_talk(text, plain, session)
        if small_talk is not None:
            return small_talk
        if session.choice is not None and (entry := self._chosen(plain, session.choice)) is not None:
            session.choice = None
            return self._answer(session, entry, 1.0)
        session.choice = None
        if plain in _DIGITS:
            return self._menu(session, _DIGITS[plain])
        if _MENU.match(plain):
            return Reply(session.id, chosen, "menu", self._menu_text(chosen))
        if _PERSON.search(text):
            return self._say(session, "handed_over", "handed_over", hand_over=True)
        found = self.retriever.find(text, chosen, session.question.get(chosen))
        before = session.question.get(chosen, "")
        session.question[chosen] = clean(f"{before} {text}")[-200:] if found.in_context else text
        if found.refused or found.entry is None:
            refused = self._phrases.text("refused", chosen)
            return Reply(session.id, chosen, "refused", refused, refused=True, score=found.probability, hand_over=True)
        if found.alternatives and found.probability < SURE:
            session.choice = (found.entry, found.alternatives[0])
            questions = [e.wording(chosen).question.rstrip("？?") for e in session.choice]
            asked = self._phrases.text("clarify", chosen, dict(zip(("first", "second"), questions, strict=True)))
            return Reply(session.id, chosen, "clarify", asked, score=found.probability)
        return self._answer(session, found.entry, found.probability)

    def _small_talk(self, text: str, plain: str, session: Session) -> Reply | None:
        """Consent, thanks and repetition; None when it is a question."""
        if _NO_RECORD.search(text) or (session.consent == "asked" and _NO.match(plain)):
            session.consent = "refused"
            return self._say(session, "consent", "consent_refused")
        if session.consent == "asked":
            session.consent = "given"  # told, and goes on
        words = _FILLER.sub(" " if session.language == "en" else "", plain).strip()
        if _THANKS.match(words):
            return self._say(session, "farewell", "farewell")
        return session.last if _REPEAT.match(words) else None

    def suggestions(self, answer_id: str, language: Language) -> list[str]:
        """Return questions that travellers ask after an answer, for the screen."""
        entry = self.retriever.base.entries.get(answer_id)
        follow_ups: Iterable[Entry] = () if entry is None else self.retriever.base.follow_ups(entry)
        return [e.wording(language).question for e in follow_ups][:SUGGESTED]

    def _language(self, text: str, session: Session) -> Language:
        script = language_of(text)
        return script if script != "und" else session.language or "zh"

    def _answer(self, session: Session, entry: Entry, probability: float) -> Reply:
        language = session.language or "zh"
        session.question.setdefault(language, entry.wording(language).question)
        sources = tuple(self.retriever.base.citations(entry, language))
        text = entry.wording(language).answer
        return Reply(session.id, language, "answer", text, entry.id, False, probability, sources)

    def _say(self, session: Session, kind: Kind, key: str, hand_over: bool = False) -> Reply:
        language = session.language or "zh"
        return Reply(session.id, language, kind, self._phrases.text(key, language), hand_over=hand_over)

    def _chosen(self, plain: str, choice: tuple[Entry, Entry]) -> Entry | None:
        """The one of two entries that the traveller picks, by order; None when he says something else."""
        if _FIRST.search(plain) or plain in ("1", "一", "one"):
            return choice[0]
        return choice[1] if _SECOND.search(plain) or plain in ("2", "二", "two") else None

    def _menu(self, session: Session, digit: int) -> Reply:
        language = session.language or "zh"
        if digit == PERSON:
            return self._say(session, "handed_over", "handed_over", hand_over=True)
        subjects = self.retriever.base.menu.get(digit, ())
        entries = [e for s in subjects for e in self.retriever.base.entries.values() if e.subject == s]
        title = self._phrases.text(f"menu.{digit}", language)
        questions = [e.wording(language).question for e in entries[:SUGGESTED]]
        return Reply(session.id, language, "menu", " ".join([title, *questions]))

    def _menu_text(self, language: Language) -> str:
        digits = [self._phrases.text(f"menu.{digit}", language) for digit in range(1, 10)]
        return " ".join([self._phrases.text("menu.title", language), *digits])
