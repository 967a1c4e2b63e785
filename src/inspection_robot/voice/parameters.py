"""Parameters of the voice node."""

from __future__ import annotations

from dataclasses import dataclass

from inspection_robot.ros.parameters import parameter


@dataclass(frozen=True)
class VoiceParameters:
    """Parameters of the voice node."""

    source: str = parameter(
        "microphone", "Where sound comes from", choices=("microphone", "topic", "none"), read_only=True
    )
    microphone_device: str = parameter("", "ALSA device of the microphone; empty: the default", read_only=True)
    speaker_device: str = parameter("", "ALSA device of the loudspeaker; empty: the default", read_only=True)
    frame_id: str = parameter("microphone_link", "Frame of the microphone", read_only=True)
    base_frame: str = parameter("base_link", "Frame of the robot", read_only=True)
    model_en: str = parameter("", "Folder of the English vosk model; empty: the official one", read_only=True)
    model_zh: str = parameter("", "Folder of the Mandarin vosk model; empty: the official one", read_only=True)
    grammar: bool = parameter(True, "Listen for the known questions beside free speech", read_only=True)
    speech_threshold: float = parameter(0.5, "Speech probability that counts as speech", minimum=0.1, maximum=0.95)
    wake: str = parameter(
        "near", "Who is listened to besides who calls the robot: who stands near, nobody, anybody",
        choices=("near", "phrase", "always"), read_only=True,
    )  # fmt: skip
    near_m: float = parameter(2.0, "How near [m]", minimum=0.5, maximum=10.0, read_only=True)
    denoise_below_db: float = parameter(
        10.0, "Speech less than this above the noise is denoised [dB]", minimum=-20.0, maximum=40.0, read_only=True
    )
    end_silence_s: float = parameter(0.4, "Silence that ends an utterance [s]", minimum=0.2, maximum=3.0)
    officer_wait_s: float = parameter(
        300.0, "So long a conversation waits for the officer that was called [s]", minimum=30.0, maximum=3600.0
    )
    session_time_out_s: float = parameter(60.0, "Silence that ends a conversation [s]", minimum=5.0, maximum=600.0)
    retention_days: int = parameter(7, "How long transcripts are kept; 0: none are [d]", minimum=0, maximum=180)
    speak_answers: bool = parameter(True, "Say answers aloud, not only show them")
    volume_follows_noise: bool = parameter(True, "Speak up in noise")
