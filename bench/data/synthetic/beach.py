"""Painter of the synthetic shore scenes: rolling waves, run-up on the sand, sky, a shaky camera.

Lengths are in frame widths or, on the water, in world units of one camera height; times are in frames,
colours in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.synthetic.clouds import KINDS, SUPER, Clouds, SkyView
from bench.data.synthetic.portable_math import (
    Array,
    FractalNoise,
    RandomStream,
    box,
    colour,
    cos_turn,
    exp,
    mix,
    quantise,
    sin_turn,
    smoothstep,
    two_noises,
)

BEACH_SCENES = ("midday", "overcast", "golden")

_MARGIN = 4  # enlarged pixels kept free on every side for the camera's shake


@dataclass(frozen=True)
class Palette:
    """Colours (8-bit sRGB) of one kind of light."""

    zenith: tuple[int, int, int]
    low: tuple[int, int, int]
    deep: tuple[int, int, int]
    shallow: tuple[int, int, int]
    foam: tuple[int, int, int]
    sand: tuple[int, int, int]
    cloud: tuple[int, int, int]
    shade: tuple[int, int, int]
    glitter: float


_PALETTES = {
    "midday": (
        Palette(
            (40, 104, 190), (172, 208, 234), (12, 74, 122), (66, 160, 168),
            (250, 253, 253), (222, 196, 150), (255, 255, 255), (160, 174, 194), 0.1,
        ),
        Palette(
            (28, 62, 150), (120, 160, 214), (10, 52, 104), (30, 128, 142),
            (244, 248, 250), (206, 164, 112), (252, 252, 255), (150, 164, 190), 0.05,
        ),
    ),
    "overcast": (
        Palette(
            (142, 150, 158), (190, 195, 198), (82, 100, 106), (118, 136, 136),
            (236, 239, 240), (168, 148, 120), (208, 212, 215), (128, 136, 146), 0.0,
        ),
        Palette(
            (112, 124, 140), (176, 186, 192), (56, 78, 88), (98, 122, 122),
            (230, 235, 236), (146, 122, 92), (190, 196, 204), (100, 110, 124), 0.0,
        ),
    ),
    "golden": (
        Palette(
            (84, 98, 148), (250, 190, 122), (44, 54, 84), (120, 104, 104),
            (255, 232, 204), (150, 110, 82), (255, 190, 130), (110, 88, 112), 0.9,
        ),
        Palette(
            (60, 54, 104), (246, 138, 96), (36, 38, 70), (96, 76, 92),
            (250, 212, 190), (116, 84, 76), (255, 150, 110), (80, 62, 96), 0.8,
        ),
    ),
}  # fmt: skip


class BeachVideo:
    """One shore video: the same scene, seed and size always give the same frames at the same times."""

    def __init__(self, scene: str, seed: int, size: int) -> None:
        dice = RandomStream("beach", scene, seed)
        pick = _PALETTES[scene][dice.below(2)]
        self._p = {
            name: colour(*getattr(pick, name))
            for name in ("zenith", "low", "deep", "shallow", "foam", "sand", "cloud", "shade")
        }
        self._size = size
        side = size * SUPER
        rows = side + 2 * _MARGIN
        # Positions extend a little past the frame, for the shake.
        line = (np.arange(rows, dtype=np.float64) + 0.5 - _MARGIN) / side
        self._horizon = dice.between(0.2, 0.42)
        # Sky and sea are painted on their own rows; five of them overlap where the horizon is blended.
        level = _MARGIN + int(self._horizon * side)
        self._sky_rows, self._sea_row = level + 3, level - 2
        self._x = np.tile(line, (rows - self._sea_row, 1))
        self._y = np.repeat(line[self._sea_row :], rows).reshape(rows - self._sea_row, rows)
        self._tilt = dice.between(0.9, 1.5)
        below = np.maximum(self._y - self._horizon, 0.0)
        self._z = 1.0 / (below * self._tilt + 0.035)
        self._wx = (self._x - 0.5) * self._z
        self._sea(dice, side)
        self._sky(dice, size, line, pick.glitter)
        self._sand_setup(dice)
        self._shake = [(dice.between(0.012, 0.05), dice.between(0.0, 1.0), dice.between(0.25, 0.7)) for _ in range(4)]
        self._shaky = dice.between(0.4, 1.0) * size / 64.0

    def _sea(self, dice: RandomStream, side: int) -> None:
        """Set up the shore line, the wave trains and the ripples."""
        shore_y = dice.between(0.68, 0.84)
        shore_z = 1.0 / ((shore_y - self._horizon) * self._tilt + 0.035)
        slope = dice.between(-0.9, 0.9)
        bends, _ = two_noises(self._wx * 0.5 + dice.between(0.0, 32.0), np.full_like(self._wx, 3.7))
        # Distance to the shore line, positive out to sea, in world units.
        self._off = (self._z - shore_z - slope * self._wx - bends * 0.16) / np.sqrt(1.0 + slope * slope)
        self._along = self._wx + slope * self._z
        self._length = dice.between(0.75, 1.25)
        self._period = dice.between(34.0, 58.0)
        self._phase = dice.between(0.0, 1.0)
        self._key = dice.between(0.0, 32.0)
        wobble, _ = two_noises(self._along * 0.45 + 9.1, self._off * 0.35 + self._key)
        # Waves shorten as the water gets shallow; the square root stretches those far out.
        depth = np.maximum(self._off, 0.0)
        self._train = (np.sqrt(1.0 + 1.6 * depth) - 1.0) * (1.3 / self._length) + wobble * 0.2
        self._surf = dice.between(1.2, 2.6)
        pixel = self._z * (1.0 / side)
        tall = pixel * self._z * self._tilt
        self._ripple_fade = [1.0 - smoothstep(0.35, 1.0, (pixel + tall * 0.35) * 4.0 * f) for f in (1, 2, 4, 8, 16)]
        self._foam_fade = [1.0 - smoothstep(0.35, 1.2, (pixel + tall * 0.3) * 3.2 * f) for f in (1, 2, 4, 8, 16)]
        self._swell_fade = 1.0 - smoothstep(0.12, 0.4, tall * 0.7)
        self._ripples = FractalNoise(dice, 5, 0.012, roughness=0.62)
        self._lace = FractalNoise(dice, 5, 0.006, roughness=0.65)
        self._drift = dice.between(-0.006, 0.006)
        self._rough = dice.between(0.5, 1.1)

    def _sky(self, dice: RandomStream, size: int, line: Array, glitter: float) -> None:
        """Set up sky, clouds, sun and the cape on the horizon, if any."""
        count = self._sky_rows
        x = np.tile(line, (count, 1))
        y = np.repeat(line[:count], len(line)).reshape(count, len(line))
        self._view = SkyView(size, x, y, self._horizon)
        names = ("heaps", "cirrus", "broken", "veil", "cumulus")
        kind = KINDS[names[dice.below(5)]]
        self._clouds = Clouds(dice, self._view, kind, 0.5 * dice.below(2), dice.between(0.05, 0.14), (0.4, -0.7))
        up = smoothstep(0.0, 0.5, self._view.rise)
        self._air = mix(self._p["low"], self._p["zenith"], up)
        self._haze = smoothstep(0.22, 0.0, self._view.rise) * 0.5
        self._sun = dice.between(0.15, 0.85)
        self._glitter = glitter
        if glitter > 0.3:
            halo = self._view.glow(self._sun, self._horizon - dice.between(0.03, 0.12), 0.13)
            self._air = mix(self._air, colour(255, 232, 180), halo * 0.9)
        self._is_sky = smoothstep(0.6, -0.6, (y - self._horizon) * (size * SUPER))
        self._cape = np.zeros_like(x)
        if dice.chance(0.55):
            reach, tall = dice.between(0.25, 0.6), dice.between(0.02, 0.08)
            inward = x if dice.chance(0.5) else 1.0 - x
            bumps = FractalNoise(dice, 4, 0.0)(x * 5.0, np.zeros_like(x), 0.0)
            top = tall * (1.0 + 0.35 * bumps) * smoothstep(reach, reach * 0.35, inward)
            edge = (y - (self._horizon - top)) * (size * SUPER)
            self._cape = smoothstep(-0.6, 0.6, edge) * np.where(top > 0.002, 1.0, 0.0)
        self._cape_colour = mix(self._p["low"], colour(44, 58, 56), dice.between(0.45, 0.8)) * 0.85

    def _sand_setup(self, dice: RandomStream) -> None:
        """Set up the texture of the dry sand and the reach of the swash."""
        grain = FractalNoise(dice, 5, 0.0, roughness=0.7)(self._wx * 5.0, self._z * 6.0, 0.0, self._foam_fade)
        speck = FractalNoise(dice, 3, 0.0, roughness=0.9)(self._x * 24.0, self._y * 30.0, 0.0)
        self._dry = self._p["sand"] * (1.0 + grain * 0.07 + speck * 0.035)
        self._run = dice.between(0.2, 0.42)
        self._reaches: dict[float, Array] = {}

    def _reach(self, wave: float) -> Array:
        """Return how far up the sand a wave runs along the shore, in world units."""
        if wave not in self._reaches:
            across = np.full_like(self._along, self._key + wave * 3.71)
            lobes, _ = two_noises(self._along * 0.8 + wave * 5.37, across)
            self._reaches[wave] = self._run * np.clip(0.75 + lobes * 0.5, 0.25, 1.4)
        return self._reaches[wave]

    def _water(self, time: float) -> Array:
        """Return the colours of the sea [3, rows - sea_row, rows] with waves and foam, before the shore line is cut."""
        phase = self._train + time / self._period + self._phase
        number = np.floor(phase)
        c = phase - number
        # Each crest keeps its own strength along the shore; front faces belong to the next crest.
        front = smoothstep(0.7, 0.97, c) * smoothstep(1.0, 0.985, c)
        back = smoothstep(0.0, 0.03, c) * smoothstep(0.45, 0.04, c)
        crest = np.where(c > 0.5, number + 1.0, number)
        power, tear = two_noises(self._along * 0.55 + crest * 7.3, crest * 2.9 + self._key + self._off * 0.08)
        strength = np.clip(0.75 + power * 0.8, 0.15, 1.5)
        swell = self._swell_fade * strength * (0.35 + 0.65 * smoothstep(6.0, 0.4, self._off))
        u = self._wx * 4.0 + time * self._drift
        v = self._z * 6.0 + time * 0.05
        ripple = self._ripples(u, v, time, self._ripple_fade)
        near = smoothstep(3.2, 0.0, self._off)
        body = mix(self._p["deep"], self._p["shallow"], near * 0.8)
        mirror = smoothstep(0.16, 0.0, self._y - self._horizon) * 0.5 + 0.12
        water = mix(body, mix(self._p["low"], self._p["zenith"], 0.35), mirror)
        light = ripple * 0.085 * self._rough + back * swell * 0.16 - front * swell * 0.34
        water = water * (1.0 + light * 1.6)
        water = mix(water, self._p["shallow"] * 0.9, front * swell * near * 0.35)
        lace = self._lace(self._wx * 3.2, (self._off + phase * 0.5) * 3.2, time, self._foam_fade)
        # Breaking starts where a strong wave meets the surf zone and grows toward the shore.
        breaking = smoothstep(0.0, 0.7, (self._surf - self._off) * 0.55 + power * 0.9 + tear * 0.25 - 0.25)
        breaking = breaking * smoothstep(self._surf * 1.7, self._surf * 0.8, self._off)
        roll = smoothstep(0.8, 0.93, c + lace * 0.035) + smoothstep(0.09, 0.0, c - lace * 0.03)
        wall = np.clip(roll, 0.0, 1.0) * breaking
        trail = exp(c * -3.2) * breaking * smoothstep(-0.15, 0.75, lace + 0.35 - c * 0.7)
        wash = smoothstep(0.5, 0.0, self._off) * smoothstep(0.2, 0.9, lace + 0.15) * 0.55
        foam = np.clip(np.maximum(np.maximum(wall, trail * 0.8), wash), 0.0, 1.0)
        shaded = self._p["foam"] * np.clip(0.93 + lace * 0.06 - front * 0.1, 0.0, 1.05)
        water = mix(water, shaded, foam)
        if self._glitter > 0.0:
            side = (self._x - self._sun) * (1.0 / (0.07 + 0.22 * np.maximum(self._y - self._horizon, 0.0)))
            path = 1.0 / (1.0 + side * side * 2.0)
            sparkle = smoothstep(-0.5, 1.1, ripple + 0.25) * (1.0 - foam)
            water = mix(water, colour(255, 224, 168), path * sparkle * self._glitter * 0.8)
        return water

    def _shore(self, time: float, water: Array) -> Array:
        """Return the scene below the horizon: the swash and the wet and dry sand laid over the water."""
        tau = time / self._period + self._phase
        number = float(np.floor(tau))
        p = tau - number
        ages = [p + k for k in range(4)]
        edge = np.full_like(self._off, -1.0)
        wet = np.zeros_like(self._off)
        for k, age in enumerate(ages):
            reach = self._reach(number - k)
            # Quick up, slow back, with a soft turn at both ends.
            way = min(age, 1.0)
            way = way * (1.75 - 0.75 * way)
            now = float(sin_turn(np.array([way * 0.5]))[0])
            now = now * now
            best = 1.0 if way > 0.5 else now
            if k == 0:
                edge = reach * now
                previous = self._reach(number - 1.0)
                edge = np.maximum(edge, previous * 0.12 * (1.0 - p))
            wet = np.maximum(wet, reach * best * (1.08 - 0.2 * age))
        ripple, ragged = two_noises(self._along * 4.2 + 3.0, self._off * 3.0 + time * 0.004)
        fringe = ripple * 0.018 + ragged * 0.012
        inside = self._off + edge + fringe
        beyond = self._off + wet + fringe * 0.6
        shine = smoothstep(0.0, 0.16, beyond)
        grain = self._dry / self._p["sand"]
        damp = mix(self._p["sand"] * 0.62, mix(self._p["low"], self._p["zenith"], 0.25), 0.32 * shine) * grain
        sand = mix(self._dry, damp, smoothstep(-0.015, 0.05, beyond))
        film = smoothstep(0.0, 0.03, inside)
        deep = smoothstep(0.05, 0.45, inside)
        lace = self._lace(self._wx * 3.2, self._off * 3.2 - edge * 2.0, time, self._foam_fade)
        sheet = mix(mix(sand, self._p["shallow"], 0.45), self._p["low"], 0.2)
        image = mix(sand, mix(sheet, water, deep), film)
        wide = 0.035 + 0.02 * (1.0 - p)
        line = smoothstep(-0.012, 0.008, inside) * smoothstep(wide * 2.2, wide * 0.6, inside + lace * 0.02)
        web = smoothstep(0.35, 0.8, lace + 0.25) * film * smoothstep(0.5, 0.1, inside) * (0.75 - 0.35 * p)
        return mix(image, self._p["foam"], np.clip(np.maximum(line * 0.95, web), 0.0, 1.0))

    def _shift(self, image: Array, time: float) -> Array:
        """Move the enlarged frame by the camera's shake, and crop the margin."""
        moves = []
        for axis in (0, 1):
            total = 0.0
            for rate, start, size in self._shake[axis * 2 : axis * 2 + 2]:
                total += size * float(cos_turn(np.array([rate * time + start]))[0])
            moves.append(min(max(total * self._shaky * SUPER * 0.6, -3.0), 2.9))
        side = self._size * SUPER
        for axis, move in ((1, moves[0]), (2, moves[1])):
            whole = int(np.floor(move))
            part = move - whole
            index = np.arange(side) + _MARGIN + whole
            image = image.take(index, axis) * (1.0 - part) + image.take(index + 1, axis) * part
        return image

    def frame(self, time: int) -> NDArray[np.uint8]:
        """Return the frame at this time (0, 1, ...) as uint8 [H, W, 3]."""
        t = float(time)
        cover, bright, _ = self._clouds(t)
        cloud = mix(mix(self._p["shade"], self._p["cloud"], bright), self._p["low"], self._haze)
        sky = mix(mix(self._air, cloud, cover * 0.9), self._cape_colour, self._cape)
        sea = self._shore(t, self._water(t))
        first, last = self._sea_row, self._sky_rows
        seam = mix(sea[:, : last - first], sky[:, first:], self._is_sky[first:])
        image = np.concatenate([sky[:, :first], seam, sea[:, last - first :]], axis=1)
        return quantise(box(self._shift(np.clip(image, 0.0, 1.0), t), SUPER))
