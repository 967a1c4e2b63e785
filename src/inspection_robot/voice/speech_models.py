"""The recognisers and the denoiser of a robot: loaded when they are there, tried again when not, honest meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from inspection_contract.errors import InputError
from inspection_robot.model_files import find
from inspection_robot.voice.denoising import MODEL, Denoiser
from inspection_robot.voice.knowledge import Language
from inspection_robot.voice.recognition import Recogniser, folders, installed_models

AGAIN_S = 60.0


class SpeechModels:
    """The models of one robot.

    Args:
        model_en: folder of the English model; the official one when empty.
        model_zh: folder of the Mandarin model; the official one when empty.
        on_partial: called with a language and its text so far, from threads of the recogniser.
        clock: seconds, monotonic.
    """

    def __init__(
        self, model_en: str, model_zh: str, on_partial: Callable[[Language, str], None], clock: Callable[[], float]
    ) -> None:
        self._folders, self._on_partial, self._clock = folders(model_en, model_zh), on_partial, clock
        self._tried_s = -AGAIN_S
        self.recogniser: Recogniser | None = None
        self.denoiser: Denoiser | None = None
        self.text = "speech models are loading: type meanwhile"
        """What can be heard, in a line."""

    @property
    def due(self) -> bool:
        """Whether it is time to load, for the first time or again."""
        return self.recogniser is None and self._clock() - self._tried_s >= AGAIN_S

    def load(self, phrases: Mapping[Language, Sequence[str]] | None) -> bool:
        """Load what is installed; False when no recogniser is. Takes seconds.

        Args:
            phrases: questions of each language for the grammar pass.

        Raises:
            InputError: a recogniser's model is broken.
        """
        self._tried_s = self._clock()
        models = installed_models(self._folders)
        if not models:
            self.text = "no speech model: type instead"
            return False
        try:
            self.denoiser = Denoiser(find(MODEL))
            noise = "speech in loud noise is denoised"
        except InputError as error:
            noise = f"speech in noise is heard as it is ({error})"
        try:
            self.recogniser = Recogniser(models, phrases, self._on_partial)
        except InputError as error:
            self.text = f"type instead: {error}"
            raise
        self.text = f"hears {', '.join(sorted(models))}; {noise}"
        return True

    def close(self) -> None:
        """End the recognisers' processes."""
        if self.recogniser is not None:
            self.recogniser.close()
            self.recogniser = None
