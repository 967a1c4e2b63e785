"""The voice node: microphone and typed questions in; answers, announcements and captions out. Wiring only."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from inspection_interfaces.action import Speak
from inspection_interfaces.msg import Announcement, Answer
from inspection_interfaces.msg import Utterance as UtteranceMessage
from inspection_interfaces.srv import Ask
from rclpy.action import GoalResponse
from rclpy.time import Time
from std_msgs.msg import Int16MultiArray

from inspection_contract.resources import share, state
from inspection_robot.ros import qos
from inspection_robot.ros.node import InspectionNode, Level, Part, Severity, run
from inspection_robot.ros.parameters import parameter
from inspection_robot.voice.audio import Microphone
from inspection_robot.voice.dialogue import Dialogue, Reply, Session
from inspection_robot.voice.knowledge import LANGUAGES, Language, load
from inspection_robot.voice.listening import Listener, Utterance
from inspection_robot.voice.phrases import Phrases
from inspection_robot.voice.player import find_player
from inspection_robot.voice.privacy import TranscriptStore
from inspection_robot.voice.recognition import Recogniser, grammar_phrases, installed_models
from inspection_robot.voice.retrieval import Retriever
from inspection_robot.voice.speaker import Caption, Priority, Speaker, Speech, gain_for
from inspection_robot.voice.synthesis import Synthesiser
from inspection_robot.voice.vad import RATE_HZ, EndPointing

BLOCK = RATE_HZ // 10
FEEDBACK_S = 0.1
RELOAD_S = 5.0
PURGE_S = 3600.0
AUDIO_QUEUE = 50


@dataclass(frozen=True)
class VoiceParameters:
    """Parameters of the voice node."""

    source: str = parameter(
        "microphone", "Where sound comes from", choices=("microphone", "topic", "none"), read_only=True
    )
    microphone_device: str = parameter("", "ALSA device of the microphone; empty: the default", read_only=True)
    speaker_device: str = parameter("", "ALSA device of the loudspeaker; empty: the default", read_only=True)
    frame_id: str = parameter("microphone_link", "Frame of the microphone", read_only=True)
    model_en: str = parameter("", "Folder of the English vosk model; empty: the official one", read_only=True)
    model_zh: str = parameter("", "Folder of the Mandarin vosk model; empty: the official one", read_only=True)
    grammar: bool = parameter(True, "Listen for the known questions beside free speech", read_only=True)
    speech_threshold: float = parameter(0.5, "Speech probability that counts as speech", minimum=0.1, maximum=0.95)
    end_silence_s: float = parameter(0.4, "Silence that ends an utterance [s]", minimum=0.2, maximum=3.0)
    session_time_out_s: float = parameter(60.0, "Silence that ends a conversation [s]", minimum=5.0, maximum=600.0)
    retention_days: int = parameter(7, "How long transcripts are kept; 0: none are [d]", minimum=0, maximum=180)
    speak_answers: bool = parameter(True, "Say answers aloud, not only show them")
    volume_follows_noise: bool = parameter(True, "Speak up in noise")


class VoiceNode(InspectionNode[VoiceParameters]):
    """Listens, answers and announces."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("voice", VoiceParameters, **kwargs)
        self._speaker: Speaker | None = None
        self._recogniser: Recogniser | None = None
        self._listener: Listener | None = None
        self._microphone: Microphone | None = None
        self._asking = threading.Lock()
        self._hearing = threading.Condition()
        self._sound: list[np.ndarray[Any, np.dtype[np.int16]]] = []

    # Lifecycle.

    def configure(self) -> None:
        """Load answers, models and phrases; start the synthesiser; make topics, the service and the action."""
        p = self.parameters
        self._knowledge_changed = _newest(share() / "config" / "knowledge")
        self._announced: set[str] = set()
        phrases = Phrases()
        self._phrases = phrases
        base = load()
        self._dialogue = Dialogue(Retriever(base, date.today()), phrases, time.monotonic, p.session_time_out_s)
        self._transcripts = TranscriptStore(state() / "voice" / "transcripts", p.retention_days)
        player = find_player(p.speaker_device)
        self._player_name = player.name
        self._synthesiser = Synthesiser()
        self._speaker = Speaker(self._synthesiser, player, self._on_speaking)
        given: dict[Language, Path] = {}
        for language, folder in (("en", p.model_en), ("zh", p.model_zh)):
            if folder:
                path = Path(folder)
                given["en" if language == "en" else "zh"] = path if path.is_absolute() else share() / path
        self._models = {} if p.source == "none" else installed_models(given)
        if self._models:
            self._recogniser = Recogniser(self._models, grammar_phrases(base) if p.grammar else None, self._on_partial)
        self._utterances = self.create_publisher(UtteranceMessage, "voice/utterances", qos.EVENT)
        self._answers = self.create_publisher(Answer, "voice/answers", qos.EVENT)
        self.create_service(Ask, "ask", self._on_ask)
        self.create_action_server(Speak, "speak", self._speak, goal_callback=self._judge_goal)
        self.create_subscription(Announcement, "announcements", self._on_announcement, qos.ALARM)
        if p.source == "topic":
            self.create_subscription(Int16MultiArray, "microphone/audio", self._on_audio, qos.SENSOR)

    def activate(self) -> None:
        """Listen."""
        p = self.parameters
        self._purge()
        self._loading = self.create_worker("answers", self._load_answers, stall_after_s=120.0)
        self.create_timer(RELOAD_S, self._look_for_changes)
        self.create_timer(PURGE_S, self._purge)
        if p.source == "none":
            return
        settings = EndPointing(threshold=p.speech_threshold, silence_s=p.end_silence_s)
        self._listener = Listener(self._recogniser, self._on_utterance, self._on_speech, settings)
        self._stream_began = self.get_clock().now()
        if self._recogniser is None:
            text = self._phrases.text("no_speech_model", "en")
            self.fault("no_speech_model", text, Severity.WARNING, part="speech model")
        if p.source == "microphone":
            self._microphone = Microphone(p.microphone_device)
            self.create_loop("microphone", self._record)
        else:
            self.create_loop("hearing", self._hear)

    def deactivate(self) -> None:
        """Fall silent and deaf."""
        if self._microphone is not None:
            self._microphone.close()
        if self._speaker is not None:
            self._speaker.barge_in()
        self._listener = None

    def cleanup(self) -> None:
        """End the processes."""
        if self._speaker is not None:
            self._speaker.close()
        if self._recogniser is not None:
            self._recogniser.close()
        self._speaker = self._recogniser = None

    def diagnose(self) -> Iterable[Part]:
        """Listening, speaking and answers."""
        p = self.parameters
        languages = ", ".join(sorted(getattr(self, "_models", {})))
        if p.source == "none":
            yield Part("listening", Level.OK, "typed questions only")
        elif self._recogniser is None:
            yield Part("listening", Level.WARNING, "no speech model: type instead")
        else:
            listener = self._listener
            ambient = {} if listener is None else {"ambient_dbfs": round(listener.ambient_dbfs, 1)}
            yield Part("listening", Level.OK, f"hears {languages}", {"source": p.source, **ambient})
        if self._speaker is not None:
            silent = self._player_name == "captions only"
            text = "no sound card: captions only" if silent else f"plays through {self._player_name}"
            values = {"synthesiser_restarts": self._synthesiser.restarts}
            yield Part("speaking", Level.WARNING if silent else Level.OK, text, values)
            entries = len(self._dialogue.retriever.base.entries)
            yield Part("answers", Level.OK if entries else Level.ERROR, f"{entries} answers", {"entries": entries})

    # Listening. All of it runs in one loop, whatever the source.

    def _record(self) -> None:
        """Take sound from the microphone until it vanishes; the loop tries again."""
        assert self._microphone is not None
        for chunk in self._microphone.chunks(BLOCK):
            listener = self._listener
            if listener is None:
                return
            listener.feed(chunk)

    def _on_audio(self, message: Int16MultiArray) -> None:
        """Sound from a topic: 16 kHz mono. When hearing falls behind, the oldest is dropped."""
        with self._hearing:
            self._sound.append(np.frombuffer(message.data, np.int16).copy())
            del self._sound[:-AUDIO_QUEUE]
            self._hearing.notify()

    def _hear(self) -> None:
        with self._hearing:
            self._hearing.wait_for(lambda: bool(self._sound), timeout=0.5)
            chunks, self._sound = self._sound, []
        listener = self._listener
        for chunk in chunks:
            if listener is not None:
                listener.feed(chunk)

    def _on_speech(self) -> None:
        """Somebody begins to speak: be silent."""
        if self._speaker is not None:
            self._speaker.barge_in()

    def _on_speaking(self, speaks: bool) -> None:
        listener = self._listener
        if listener is not None:
            listener.robot_speaks(speaks)
            if self._speaker is not None and self.parameters.volume_follows_noise:
                self._speaker.gain_db = gain_for(listener.ambient_dbfs)

    def _on_partial(self, language: Language, text: str) -> None:
        message = UtteranceMessage(language=language, text=text, final=False)
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = self.parameters.frame_id
        self._utterances.publish(message)

    def _on_utterance(self, heard: Utterance) -> None:
        session = self._dialogue.session(person="at the robot")
        message = UtteranceMessage(
            session=session.id, language=heard.language, text=heard.text, final=True, confidence=heard.confidence,
            words=[w.text for w in heard.words], word_starts_s=[w.start_s for w in heard.words],
            word_ends_s=[w.end_s for w in heard.words], duration_s=heard.duration_s,
        )  # fmt: skip
        message.header.stamp = self._stamp_at(heard.start_s)
        message.header.frame_id = self.parameters.frame_id
        self._utterances.publish(message)
        if heard.fault in ("silent", "clipped"):
            self.fault("sound_unusable", f"the sound is {heard.fault}", Severity.WARNING, part="listening")
        else:
            self.clear("sound_unusable")
        if heard.text:
            language: Language = "zh" if heard.language == "zh" else "en"
            self._reply(heard.text, session, language)

    def _stamp_at(self, start_s: float) -> Any:
        began: Time = self._stream_began
        return Time(nanoseconds=began.nanoseconds + round(start_s * 1e9), clock_type=began.clock_type).to_msg()

    # Answers.

    def _on_ask(self, request: Ask.Request, response: Ask.Response) -> Ask.Response:
        """Answer a typed question; it is shown, and said only when it was spoken."""
        session = self._dialogue.session(request.session)
        language: Language | None = request.language if request.language in LANGUAGES else None
        reply = self._respond(request.text, session, language)
        response.session, response.language = reply.session, reply.language
        response.refused, response.answer_id = reply.refused, reply.answer_id
        response.answer, response.score, response.sources = reply.text, reply.score, list(reply.sources)
        self._show(reply, "finished", Priority.ANSWER)
        return response

    def _reply(self, text: str, session: Session, language: Language) -> None:
        reply = self._respond(text, session, language)
        if not self.parameters.speak_answers or self._speaker is None:
            self._show(reply, "finished", Priority.ANSWER)
            return

        def caption(now: Caption) -> None:
            self._show(reply, now.state, Priority.ANSWER)

        self._speaker.say(Speech(reply.text, Priority.ANSWER, reply.language, on_caption=caption))

    def _respond(self, text: str, session: Session, language: Language | None) -> Reply:
        with self._asking:
            reply = self._dialogue.respond(text, session, language)
            if session.keep:
                self._transcripts.add(session.id, "traveller", reply.language, text)
                self._transcripts.add(session.id, "robot", reply.language, reply.text, reply.answer_id, reply.refused)
            elif reply.kind == "consent":
                self._transcripts.forget(session.id)
        return reply

    def _show(self, reply: Reply, shown_state: str, priority: Priority) -> None:
        message = Answer(
            session=reply.session, language=reply.language, text=reply.text, answer_id=reply.answer_id,
            refused=reply.refused, score=reply.score, sources=list(reply.sources), priority=int(priority),
            state=shown_state,
        )  # fmt: skip
        message.header.stamp = self.get_clock().now().to_msg()
        self._answers.publish(message)

    def _look_for_changes(self) -> None:
        """Have a changed knowledge base loaded, and end conversations that have timed out."""
        changed = _newest(share() / "config" / "knowledge")
        if changed != self._knowledge_changed:
            self._knowledge_changed = changed
            self._loading.offer(changed)
        self._dialogue.expire()

    def _load_answers(self, _: float) -> None:
        """Take the knowledge base into use; a bad one becomes a fault, and the one in use stays."""
        self._dialogue.retriever = Retriever(load(), date.today())

    def _purge(self) -> None:
        self._transcripts.purge()

    # Announcements.

    def _judge_goal(self, goal: Speak.Goal) -> GoalResponse:
        known = goal.template_key in self._phrases if goal.template_key else bool(goal.text.strip())
        fits = goal.priority <= Priority.EMERGENCY and goal.language in ("", *LANGUAGES)
        return GoalResponse.ACCEPT if known and fits else GoalResponse.REJECT

    def _speak(self, goal: Any) -> Speak.Result:
        """Say a goal's text or template; the feedback tells its state and progress."""
        request = goal.request
        language: Language | None = request.language if request.language in LANGUAGES else None
        text = request.text
        if request.template_key:
            values = {pair.key: pair.value for pair in request.values}
            text = self._phrases.text(request.template_key, language or "zh", values)
            language = language or "zh"
        latest = [Caption("queued", "", 0.0)]

        def caption(now: Caption) -> None:
            latest[0] = now
            self._announce(text, language or "", Priority(request.priority), now)

        assert self._speaker is not None
        speech = Speech(text, Priority(request.priority), language, request.resume, caption)
        self._speaker.say(speech)
        while not speech.done.wait(FEEDBACK_S):
            goal.publish_feedback(Speak.Feedback(state=latest[0].state, progress=latest[0].progress))
            if goal.is_cancel_requested:
                self._speaker.cancel(speech)
                speech.done.wait(1.0)
                goal.canceled()
                return Speak.Result(spoken=speech.spoken, message="cancelled")
        if speech.fault:
            self.fault("speech_failed", speech.fault, part="speaking")
        else:
            self.clear("speech_failed")
        goal.succeed()
        return Speak.Result(spoken=speech.spoken, message=speech.fault)

    def _on_announcement(self, message: Announcement) -> None:
        """Words of the center, in both languages, once each."""
        now = self.get_clock().now().nanoseconds
        expires = message.expires.sec * 10**9 + message.expires.nanosec
        known = message.announcement_id in self._announced
        if self._speaker is None or not self.is_active or known or 0 < expires < now:
            return
        self._announced.add(message.announcement_id)
        priority = Priority(min(int(message.priority), int(Priority.EMERGENCY)))
        texts: tuple[tuple[Language, str], ...] = (("zh", message.text_zh), ("en", message.text_en))
        for language, text in texts:
            if text.strip():

                def caption(state_now: Caption, text: str = text, language: Language = language) -> None:
                    self._announce(text, language, priority, state_now)

                self._speaker.say(Speech(text, priority, language, resume=True, on_caption=caption))

    def _announce(self, text: str, language: str, priority: Priority, now: Caption) -> None:
        shown = now.sentence if now.state == "speaking" else text
        message = Answer(language=language, text=shown, priority=int(priority), state=now.state)
        message.header.stamp = self.get_clock().now().to_msg()
        self._answers.publish(message)


def _newest(folder: Path) -> float:
    """Time of the last change of the knowledge files."""
    return max((path.stat().st_mtime for path in folder.glob("*.yaml")), default=0.0)


def main() -> None:
    """Run the node."""
    run(VoiceNode)


if __name__ == "__main__":
    main()
