"""The voice node: microphone and typed questions in; answers, announcements and captions out. Wiring only."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import numpy as np
from inspection_interfaces.action import Speak
from inspection_interfaces.msg import Announcement, Answer, Detection, PersonArray
from inspection_interfaces.msg import Utterance as UtteranceMessage
from inspection_interfaces.srv import Ask
from rclpy.action import GoalResponse
from rclpy.time import Time
from std_msgs.msg import Header, Int16MultiArray

from inspection_contract.errors import InputError
from inspection_contract.resources import state
from inspection_robot.ros import qos
from inspection_robot.ros.frames import Frames, TransformError
from inspection_robot.ros.node import InspectionNode, Level, Part, Severity, run
from inspection_robot.ros.voice_messages import to_answer, to_hand_over, to_utterance
from inspection_robot.voice.attention import Attention, Wake
from inspection_robot.voice.audio import Microphone
from inspection_robot.voice.dialogue import Dialogue, Reply
from inspection_robot.voice.knowledge import LANGUAGES, Language, load
from inspection_robot.voice.knowledge_update import knowledge_in_use, newest_change
from inspection_robot.voice.listening import NO_MODEL, Listener, Utterance
from inspection_robot.voice.parameters import VoiceParameters
from inspection_robot.voice.phrases import Phrases
from inspection_robot.voice.player import CAPTIONS_ONLY, SystemPlayer
from inspection_robot.voice.privacy import TranscriptStore
from inspection_robot.voice.reception import Outcome, Reception
from inspection_robot.voice.recognition import grammar_phrases
from inspection_robot.voice.retrieval import Retriever
from inspection_robot.voice.speaker import Caption, Priority, Speaker, Speech, gain_for
from inspection_robot.voice.speech_models import SpeechModels
from inspection_robot.voice.synthesis import Synthesiser
from inspection_robot.voice.text import language_of
from inspection_robot.voice.vad import CHUNK, EndPointing

FEEDBACK_S = 0.1
RELOAD_S = 5.0
PURGE_S = 3600.0
AUDIO_QUEUE = 50
SILENT_STREAM_S = 0.5
LEAST_EXISTENCE = 0.5


class VoiceNode(InspectionNode[VoiceParameters]):
    """Listens, answers and announces."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("voice", VoiceParameters, **kwargs)
        self._speaker: Speaker | None = None
        self._reception: Reception | None = None
        self._models: SpeechModels | None = None
        self._listener: Listener | None = None
        self._microphone: Microphone | None = None
        self._asking = threading.Lock()
        self._hearing = threading.Condition()
        self._sound: list[np.ndarray[Any, np.dtype[np.int16]]] = []

    # Lifecycle.

    def configure(self) -> None:
        """Make topics, the service and the action, and begin to load the answers.

        Answers and speech models load in the background, models in processes of their own; until the answers are there
        a typed question is told to wait.
        """
        p = self.parameters
        self._announced: set[str] = set()
        self._phrases = Phrases()
        self._frames = Frames(self)
        self._attention = Attention(p.near_m, time.monotonic)
        self._transcripts = TranscriptStore(state() / "voice" / "transcripts", p.retention_days)
        self._loading = self.create_worker("answers", self._load_answers, stall_after_s=120.0)
        self._models_loading = self.create_worker("speech_models", self._load_models, stall_after_s=120.0)
        self._knowledge_changed = newest_change(state())
        self._loading.offer(self._knowledge_changed)
        self._player = SystemPlayer(p.speaker_device)
        self._synthesiser = Synthesiser()
        self._speaker = Speaker(self._synthesiser, self._player, self._on_speaking)
        self._utterances = self.create_publisher(UtteranceMessage, "voice/utterances", qos.EVENT)
        self._answers = self.create_publisher(Answer, "voice/answers", qos.EVENT)
        self._detections = self.create_publisher(Detection, "detections", qos.ALARM)
        self.create_service(Ask, "ask", self._on_ask)
        self.create_action_server(Speak, "speak", self._speak, goal_callback=self._judge_goal)
        self.create_subscription(Announcement, "announcements", self._on_announcement, qos.ALARM)
        self.create_subscription(PersonArray, "people", self._on_people, qos.SENSOR)
        if p.source == "topic":
            self.create_subscription(Int16MultiArray, "microphone/audio", self._on_audio, qos.EVENT)

    def activate(self) -> None:
        """Listen."""
        p = self.parameters
        self._purge()
        self.create_timer(RELOAD_S, self._look_around, clock=self.steady_clock)
        self.create_timer(PURGE_S, self._purge, clock=self.steady_clock)
        if p.source == "none":
            return
        settings = EndPointing(threshold=p.speech_threshold, silence_s=p.end_silence_s)
        self._listener = Listener(
            None, self._on_utterance, self._on_speech, settings, on_onset=self._on_onset,
            denoise_below_db=p.denoise_below_db,
        )  # fmt: skip
        self._equip()
        self._stream_began = self.get_clock().now()
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
        if self._models is not None:
            self._models.close()
        self._speaker = self._models = self._reception = None

    def diagnose(self) -> Iterable[Part]:
        """Listening, speaking and answers."""
        if self.parameters.source == "none":
            yield Part("listening", Level.OK, "typed questions only")
        else:
            listener, values = self._listener, {"source": self.parameters.source}
            if listener is not None:
                values |= {"ambient_dbfs": f"{listener.ambient_dbfs:.1f}", "denoised": str(listener.denoised)}
            models = self._models
            level = Level.OK if models is not None and models.recogniser is not None else Level.WARNING
            yield Part("listening", level, models.text if models is not None else "answers are loading", values)
        if self._speaker is not None:
            level, text = Level.OK, f"plays through {self._player.name}"
            if self._player.missing:
                level, text = Level.WARNING, f"{self._player.missing}: captions only"
            yield Part("speaking", level, text, {"synthesiser_restarts": self._synthesiser.restarts})
            yield self._answers_part()

    def _answers_part(self) -> Part:
        reception = self._reception
        if reception is None:
            return Part("answers", Level.WARNING, "answers are loading")
        base = reception.dialogue.retriever.base
        level, version = Level.OK if base.entries else Level.ERROR, f", update {base.version}" if base.version else ""
        return Part("answers", level, f"{len(base.entries)} answers{version}", {"entries": len(base.entries)})

    # Answers and speech models load in the background, models again when they were not there.

    def _load_answers(self, _: float) -> None:
        """Take the knowledge base into use; a bad one becomes a fault, and the one in use stays."""
        try:
            base = knowledge_in_use(state())
            self.clear("knowledge_update_unfit")
        except InputError as error:
            if self._reception is not None:
                raise
            self.fault("knowledge_update_unfit", str(error), part="answers")
            base = load()
        p = self.parameters
        self._known_questions = grammar_phrases(base) if p.grammar else None
        if p.source != "none" and self._models is None:
            self._models = SpeechModels(p.model_en, p.model_zh, self._on_partial, time.monotonic)
        self._look_for_models()
        retriever = Retriever(base, date.today())
        if self._reception is not None:
            self._reception.dialogue.retriever = retriever
            return
        dialogue = Dialogue(retriever, self._phrases, time.monotonic, p.session_time_out_s, p.officer_wait_s)
        wake: Wake = p.wake  # type: ignore[assignment]  # one of the parameter's choices
        everything = (dialogue, self._attention, self._transcripts, self._phrases, wake, time.monotonic)
        self._reception = Reception(*everything)

    def _look_for_models(self) -> None:
        if self._models is not None and self._models.due:
            self._models_loading.offer(time.monotonic())

    def _load_models(self, _: float) -> None:
        """Start the recognisers; without models, or with broken ones, that is a fault and typing goes on."""
        assert self._models is not None
        if not self._models.load(self._known_questions):
            self.fault("no_speech_model", self._phrases.text("no_speech_model", "en"), Severity.WARNING, "speech model")
            return
        self.clear("no_speech_model")
        self._equip()

    def _equip(self) -> None:
        """Give the listener what has been loaded."""
        if self._listener is not None and self._models is not None:
            self._listener.denoiser, self._listener.recogniser = self._models.denoiser, self._models.recogniser

    # Listening. All of it runs in one loop, whatever the source.

    def _record(self) -> None:
        """Take sound from the microphone until it vanishes; the loop tries again."""
        assert self._microphone is not None
        try:
            for chunk in self._microphone.chunks(CHUNK):
                listener = self._listener
                if listener is None:
                    return
                listener.feed(chunk)
        finally:
            self._on_onset(False)

    def _on_audio(self, message: Int16MultiArray) -> None:
        """Sound from a topic: 16 kHz mono. When hearing falls behind, the oldest is dropped."""
        with self._hearing:
            self._sound.append(np.frombuffer(message.data, np.int16).copy())
            del self._sound[:-AUDIO_QUEUE]
            self._hearing.notify()

    def _hear(self) -> None:
        with self._hearing:
            self._hearing.wait_for(lambda: bool(self._sound), timeout=SILENT_STREAM_S)
            chunks, self._sound = self._sound, []
        listener = self._listener
        if not chunks:
            self._on_onset(False)
        for chunk in chunks:
            if listener is not None:
                listener.feed(chunk)

    def _on_onset(self, begins: bool) -> None:
        """Somebody may be about to speak: pause; or it was nothing: go on."""
        if self._speaker is not None:
            self._speaker.pause() if begins else self._speaker.go_on()

    def _on_speech(self) -> None:
        """Somebody speaks: be silent."""
        if self._speaker is not None:
            self._speaker.barge_in()

    def _on_speaking(self, speaks: bool) -> None:
        listener = self._listener
        if listener is not None and self._player.name != CAPTIONS_ONLY:
            listener.robot_speaks(speaks)
            if self._speaker and self.parameters.volume_follows_noise:
                self._speaker.gain_db = gain_for(listener.ambient_dbfs)

    def _on_partial(self, language: Language, text: str) -> None:
        self._utterances.publish(UtteranceMessage(header=self._header(), language=language, text=text, final=False))

    def _on_utterance(self, heard: Utterance) -> None:
        outcome: Outcome | None = None
        again: Reply | None = None
        ambient_dbfs = -math.inf if self._listener is None else self._listener.ambient_dbfs
        reception = self._reception
        with self._asking:
            if reception is not None and (heard.language == "zh" or heard.language == "en"):
                outcome = reception.hear(heard.text, heard.language)  # type: ignore[arg-type]  # narrowed above
            elif reception is not None and heard.fault != NO_MODEL:
                again = reception.not_understood(ambient_dbfs)
        header = self._header(self._stamp_at(heard.start_s))
        message = to_utterance(header, heard, outcome.reply.session if outcome else "")
        self._utterances.publish(message)
        if heard.fault in ("silent", "clipped", "cut"):
            self.fault("sound_unusable", f"the sound is {heard.fault}", Severity.WARNING, part="listening")
        else:
            self.clear("sound_unusable")
        if outcome is not None:
            self._carry_out(outcome, aloud=self.parameters.speak_answers)
        elif again is not None:
            self._say(again, aloud=self.parameters.speak_answers)

    def _stamp_at(self, start_s: float) -> Any:
        began: Time = self._stream_began
        return Time(nanoseconds=began.nanoseconds + round(start_s * 1e9), clock_type=began.clock_type).to_msg()

    def _on_people(self, message: PersonArray) -> None:
        """Who is how far away."""
        try:
            here = self._frames.lookup(message.header.frame_id, self.parameters.base_frame).translation
        except TransformError:
            return
        distances = {}
        for person in message.people:
            if person.kind == person.KIND_PERSON and person.existence >= LEAST_EXISTENCE:
                at = person.pose.pose.position
                distances[person.track] = math.hypot(at.x - here[0], at.y - here[1])
        with self._asking:
            self._attention.people(distances)

    # Answers.

    def _on_ask(self, request: Ask.Request, response: Ask.Response) -> Ask.Response:
        """Answer a typed question; it is shown, and said only when it was spoken."""
        language: Language | None = request.language if request.language in LANGUAGES else None
        if self._reception is None:
            response.refused, response.language = True, language or _written_in(request.text)
            response.answer = self._phrases.text("starting", response.language)
            return response
        with self._asking:
            outcome = self._reception.read(request.text, request.session, language)
        reply = outcome.reply
        response.session, response.language = reply.session, reply.language
        response.refused, response.answer_id = reply.refused, reply.answer_id
        response.answer, response.score, response.sources = reply.text, reply.score, list(reply.sources)
        self._carry_out(outcome, aloud=False)
        return response

    def _carry_out(self, outcome: Outcome, aloud: bool) -> None:
        reply = outcome.reply
        self._say(reply, aloud)
        if outcome.hand_over is not None:
            self._detections.publish(to_hand_over(self._header(), outcome.hand_over))
        if outcome.notice:
            notice = Reply(reply.session, reply.language, "consent", outcome.notice)
            self._say(notice, aloud, Priority.ADVERTISEMENT, lambda: self._told(reply.session))

    def _say(
        self, reply: Reply, aloud: bool, priority: Priority = Priority.ANSWER, then: Callable[[], None] = lambda: None
    ) -> None:
        """Say and show a reply, or only show it; ``then`` is called when that was done to the end."""
        if not aloud or self._speaker is None:
            self._show(reply, "finished", priority)
            then()
            return

        def caption(now: Caption) -> None:
            self._show(reply, now.state, priority)
            if now.state == "finished" and now.spoken:
                then()

        self._speaker.say(Speech(reply.text, priority, reply.language, resume=True, on_caption=caption))

    def _told(self, session: str) -> None:
        with self._asking:
            if self._reception is not None:
                self._reception.told(session)

    def _show(self, reply: Reply, shown_state: str, priority: Priority) -> None:
        self._answers.publish(to_answer(self._header(), reply, shown_state, int(priority)))

    def _header(self, stamp: Any = None) -> Header:
        return Header(stamp=stamp or self.get_clock().now().to_msg(), frame_id=self.parameters.frame_id)

    def _look_around(self) -> None:
        """Have changed answers or missing speech models loaded, and end the conversations of who has gone."""
        changed = newest_change(state())
        if changed != self._knowledge_changed:
            self._knowledge_changed = changed
            self._loading.offer(changed)
        self._look_for_models()
        with self._asking:
            ended = [] if self._reception is None else self._reception.expire()
        for reply in ended:
            self._show(reply, "finished", Priority.ANSWER)

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
        shown_in: Language = language or _written_in(text)

        def caption(now: Caption) -> None:
            latest[0] = now
            self._announce(text, shown_in, Priority(request.priority), now)

        assert self._speaker is not None
        if request.priority == Priority.INTERCEPTION and self._reception is not None:
            with self._asking:
                self._reception.call()
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
        priority = Priority(min(message.priority, Priority.EMERGENCY))
        texts: dict[Language, str] = {"zh": message.text_zh.strip(), "en": message.text_en.strip()}
        session = ""
        if priority == Priority.ANSWER and self._reception is not None:
            with self._asking:  # while somebody waits for an officer, this is the answer
                session = self._reception.officer({language: text for language, text in texts.items() if text})
        for language, text in texts.items():
            if text:

                def caption(state_now: Caption, text: str = text, language: Language = language) -> None:
                    self._announce(text, language, priority, state_now, session)

                self._speaker.say(Speech(text, priority, language, resume=True, on_caption=caption))

    def _announce(self, text: str, language: Language, priority: Priority, now: Caption, session: str = "") -> None:
        shown = now.sentence if now.state == "speaking" else text
        self._show(Reply(session, language, "announcement", shown), now.state, priority)


def _written_in(text: str) -> Language:
    return "zh" if language_of(text) == "zh" else "en"


def main() -> None:
    """Run the node."""
    run(VoiceNode)


if __name__ == "__main__":
    main()
