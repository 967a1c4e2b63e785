"""Fever or not: threshold with hysteresis, in two stages.

At 1 % prevalence a test with sensitivity 0.91 and specificity 0.958 is wrong in four of five alarms. So the first look
only asks for a second one, and only what stands up to it is an alarm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class DecisionSettings:
    """The alarm rule.

    Attributes:
        threshold_c: Core temperature from which on it is fever; adjustable in steps of 0.1 °C (IEC 80601-2-59) [°C].
        sensitivity_shift: How many standard uncertainties below the threshold already count: 0 is the default rule,
            positive values catch more fevers and more healthy people, negative values fewer of both [1].
        hysteresis_c: An alarm ends this far below the threshold [K].
        second_look_s: Least time between the first look and the decision [s].
    """

    threshold_c: float = 37.5
    sensitivity_shift: float = 0.0
    hysteresis_c: float = 0.3
    second_look_s: float = 1.5


RULE_ID, RULE_VERSION = "thermal.fever.two_stage", "1"


class Stage(Enum):
    """How far a person's screening has come."""

    CLEAR = "clear"
    SECOND_LOOK = "second_look"
    ALARM = "alarm"


def is_fever(core_celsius: float, uncertainty_c: float, settings: DecisionSettings) -> bool:
    """The one-look rule: core temperature at or above the threshold, shifted by the chosen sensitivity."""
    return core_celsius >= settings.threshold_c - settings.sensitivity_shift * uncertainty_c


def fever_probability(core_celsius: float, uncertainty_c: float, settings: DecisionSettings) -> float:
    """Probability that the true core temperature is at or above the threshold, for a normal error."""
    return 0.5 * math.erfc((settings.threshold_c - core_celsius) / (uncertainty_c * math.sqrt(2.0)))


class FeverAlarm:
    """The two-stage alarm of one person."""

    def __init__(self, settings: DecisionSettings) -> None:
        self._settings = settings
        self._asked_s = math.nan
        self.stage = Stage.CLEAR

    def update(self, core_celsius: float, uncertainty_c: float, now_s: float) -> Stage:
        """Take a settled reading; indeterminate frames are not given and change nothing."""
        settings = self._settings
        high = is_fever(core_celsius, uncertainty_c, settings)
        ended = not is_fever(core_celsius + settings.hysteresis_c, uncertainty_c, settings)
        if self.stage is Stage.CLEAR and high:
            self.stage, self._asked_s = Stage.SECOND_LOOK, now_s
        elif self.stage is Stage.SECOND_LOOK and not high:
            self.stage = Stage.CLEAR
        elif self.stage is Stage.SECOND_LOOK and now_s - self._asked_s >= settings.second_look_s:
            self.stage = Stage.ALARM
        elif self.stage is Stage.ALARM and ended:
            self.stage = Stage.CLEAR
        return self.stage
