"""A robot passes luggage that smells: time from plume contact to onset, false onsets in clean air, place and carrier.

Filament plumes of the simulator, its six-channel array, the product's signal chain and particle filter. A source lies
beside a straight path, wind from any side; a decoy bag lies farther along. Contact: above 1 ppm at the nose.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from inspection_robot.odor import localization
from inspection_robot.odor.board_health import HealthSettings
from inspection_robot.odor.board_track import BoardTrack, TrackSettings
from inspection_robot.odor.drivers import BoardReading
from inspection_robot.odor.localization import Whiff
from inspection_sim.devices.mox_array import CHANNELS, SENSITIVITIES, MoxArray, make_unit
from inspection_sim.fields.odor import STEP_S, Plume, concentration_ppm, step

PERIOD_S = 0.5
SPEED_M_S = 0.4
CONTACT_PPM = 1.0
CLEAN_S = 30.0
HEAD_START_S = 15.0  # of the smell before the robot sets off [s]
WHIFF = 0.3  # concentration of a whiff relative to the half concentration of the strongest channel [1]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=40, help="passes (default 40)")
    parser.add_argument("--clean-hours", type=float, default=2.0, help="clean air for false onsets [h] (default 2)")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    rows = [passing(seed) for seed in range(arguments.runs)]
    met = [row for row in rows if np.isfinite(row["contact_s"])]
    delays = np.array([row["onset_s"] - row["contact_s"] for row in met])
    found = np.isfinite(delays)
    errors = np.array([row["error_m"] for row in met])[found]
    return {
        "runs": arguments.runs,
        "runs_in_contact": len(met),
        "noticed": round(float(found.mean()), 4),
        "onset_delay_median_s": round(float(np.median(delays[found])), 2),
        "onset_delay_p95_s": round(float(np.quantile(delays[found], 0.95)), 2),
        "onset_within_5_s": round(float((delays <= 5.0).mean()), 4),
        "source_error_median_m": round(float(np.median(errors)), 2),
        "carrier_right": round(float(np.mean([row["carrier_right"] for row in met])), 4),
        "false_onsets_per_h": round(false_onsets(arguments.clean_hours), 3),
        "clean_hours": arguments.clean_hours,
    }


def passing(seed: int) -> dict[str, float]:
    """One pass along x from -5 m to +5 m; times are counted from the start of the path [s]."""
    generator = np.random.default_rng(seed)
    source = np.array([generator.uniform(-1.5, 1.5), generator.uniform(0.4, 1.2) * generator.choice([-1.0, 1.0]), 0.4])
    decoy = source[:2] + np.array([generator.choice([-1.0, 1.0]) * generator.uniform(2.0, 3.0), 0.0])
    angle = generator.uniform(0.0, 2.0 * np.pi)
    wind = generator.uniform(0.08, 0.25) * np.array([np.cos(angle), np.sin(angle)])
    substance = str(generator.choice(sorted(SENSITIVITIES)))
    array = MoxArray(make_unit(int(generator.integers(1000))), seed)
    track = new_track()
    plume = Plume.empty()
    particles = None
    whiffs: list[Whiff] = []
    onset, contact = np.nan, np.nan
    times, strongest = [], []
    ticks = round((CLEAN_S + 10.0 / SPEED_M_S + 10.0) / STEP_S)
    for tick in range(ticks):
        time_s = tick * STEP_S
        path_s = time_s - CLEAN_S
        nose = np.array([-5.0 + SPEED_M_S * max(path_s, 0.0), 0.0, 0.45])
        there = source[None, :] if path_s > -HEAD_START_S else np.full((1, 3), np.nan)
        plume = step(plume, there, np.array([400.0]), wind, _nothing_solid, generator)
        ppm = float(concentration_ppm(plume, nose, 1)[0])
        if np.isnan(contact) and ppm > CONTACT_PPM:
            contact = path_s
        array.set_air({substance: ppm})
        array.advance(STEP_S)
        if tick % round(PERIOD_S / STEP_S):
            continue
        update = track.update(reading(array), time_s)
        times.append(time_s)
        strongest.append(float(update.output.response.max()))
        if np.isnan(onset) and update.output.began:
            onset = path_s
        if path_s <= 0.0:
            continue
        now = localization.air_concentration(np.array(strongest[-4:]), PERIOD_S)[-2]
        smelt = bool(update.output.exposed and now > WHIFF)
        whiffs.append(Whiff(time_s, nose[:2], smelt))
        if particles is None and smelt:
            particles = localization.start(nose[:2], wind, generator)
            for past in whiffs[-20:-1]:
                particles = localization.update(particles, past.nose, past.smelt, generator)
        if particles is not None:
            particles = localization.update(particles, nose[:2], smelt, generator)
    error, right = np.nan, 0.0
    if particles is not None:
        error = float(np.linalg.norm(localization.estimate(particles).place - source[:2]))
        span = np.array([0.0, ticks * STEP_S])
        tracks = {"source": (span, np.stack([source[:2]] * 2)), "decoy": (span, np.stack([decoy] * 2))}
        shares = localization.carriers(whiffs, tracks, wind)
        right = float(shares["source"] > max(shares["decoy"], 0.5))
    return {"contact_s": contact, "onset_s": onset, "error_m": error, "carrier_right": right}


def false_onsets(hours: float) -> float:
    """Onsets an hour in clean air whose humidity and temperature wander."""
    generator = np.random.default_rng(5)
    array, track = MoxArray(make_unit(3), 3), new_track()
    onsets, humidity = 0, 0.45
    for tick in range(round(hours * 3600.0 / PERIOD_S)):
        humidity = float(np.clip(humidity + 0.0008 * generator.standard_normal(), 0.25, 0.65))
        array.set_air({}, humidity)
        array.advance(PERIOD_S)
        onsets += track.update(reading(array, humidity), tick * PERIOD_S).output.began
    return onsets / hours


def new_track() -> BoardTrack:
    """A track that takes the array for warm."""
    return BoardTrack(TrackSettings(health=HealthSettings(warm_up_s=0.0, warm_up_rate=1.0)))


def reading(array: MoxArray, humidity: float = 0.45) -> BoardReading:
    """One reading of the simulated board."""
    return BoardReading("bench", CHANNELS, array.resistances_ohm(), ("Ohm",) * len(CHANNELS), 24.0, humidity)


def _nothing_solid(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.zeros(len(points), dtype=np.bool_)
