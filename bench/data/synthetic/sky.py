"""Painters of the synthetic sky scenes: clouds by day and at dusk, turning stars, aurora.

A painter is set up once per video and then paints single frames. It paints at twice the frame's resolution
and averages. All lengths are in frame widths, all times in frames, all colours in 0..1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.data.synthetic.clouds import KINDS, SUPER, Clouds, SkyView
from bench.data.synthetic.foreground import Land, LandLight
from bench.data.synthetic.portable_math import (
    Array,
    FractalNoise,
    RandomStream,
    box,
    colour,
    cos_turn,
    exp,
    mix,
    pixel_centres,
    quantise,
    sin_turn,
    smoothstep,
    step,
    two_noises,
    unit,
)

SKY_SCENES = ("day", "dusk", "night", "aurora")


_DAY = (
    # zenith, horizon
    ((24, 74, 158), (150, 190, 226)),
    ((12, 84, 112), (112, 178, 184)),
    ((66, 122, 196), (196, 216, 232)),
    ((88, 92, 164), (206, 192, 220)),
    ((18, 52, 108), (120, 158, 190)),
    ((110, 128, 150), (196, 202, 206)),
)
_DUSK = (
    # zenith, middle, horizon, glow, lit cloud, shaded cloud
    ((72, 96, 140), (188, 150, 124), (252, 190, 100), (255, 226, 150), (255, 190, 112), (104, 84, 92)),
    ((44, 50, 96), (146, 78, 104), (246, 116, 62), (255, 164, 80), (246, 112, 76), (64, 50, 78)),
    ((14, 30, 68), (44, 78, 124), (226, 150, 112), (255, 178, 116), (156, 108, 124), (30, 38, 66)),
    ((84, 88, 150), (188, 138, 172), (255, 184, 160), (255, 214, 178), (255, 168, 160), (104, 92, 134)),
    ((96, 76, 62), (190, 128, 74), (250, 200, 120), (255, 236, 180), (250, 188, 110), (88, 66, 54)),
)


class _Day:
    """Blue or grey sky, one or two cloud layers, sun from one side."""

    def __init__(self, dice: RandomStream, view: SkyView) -> None:
        weather = dice.below(8)
        if weather == 4 and view.horizon > 1.0:
            weather = 2  # a bank is at the horizon, which is outside this frame
        # Grey weather needs a grey sky; fair weather can have any of the blue ones.
        zenith, low = _DAY[5] if weather in (3, 6) else _DAY[dice.below(5)]
        self._view = view
        sun = (dice.between(-0.35, 1.35), dice.between(-0.4, 0.3))
        light = (0.75 * (1.0 if sun[0] > 0.5 else -1.0), -0.65)
        wind = dice.between(-0.09, 0.09) + (0.0 if dice.chance(0.5) else 0.5)
        if dice.chance(0.3):
            wind = dice.between(0.0, 1.0)
        drift = dice.between(0.18, 0.4)
        names = (
            ("cumulus",),
            ("cirrus", "heaps"),
            ("mackerel",),
            ("overcast", "broken"),
            ("veil", "bank"),
            ("cirrus", "cumulus"),
            ("overcast",),
            ("broken",),
        )[weather]
        self._layers = [
            Clouds(dice, view, KINDS[name], wind, drift * (0.6 if k < len(names) - 1 else 1.0), light)
            for k, name in enumerate(names)
        ]
        up = smoothstep(0.0, 0.95, view.rise)
        self._glow = view.glow(sun[0], sun[1], 0.16)
        self._sky = mix(colour(*low), colour(*zenith), up)
        self._sky = mix(self._sky, colour(255, 252, 240), self._glow * 0.75)
        self._sky = self._sky + view.glow(sun[0], sun[1], 0.045) * 0.6
        warm = colour(255, 250, 240) if dice.chance(0.7) else colour(255, 236, 206)
        grey = weather in (3, 6)
        self._lit = warm * (0.95 if grey else 1.0)
        shade = colour(92, 100, 114) if grey else mix(colour(128, 140, 160), colour(*zenith), 0.3)
        self._shade = shade * dice.between(0.85, 1.1)
        self._haze = colour(*low)
        self._mist = smoothstep(0.3, 0.0, view.rise) * (0.35 if grey else 0.6)
        light_level = dice.between(0.35, 0.95)
        self.light = LandLight(mix(colour(*low), colour(90, 100, 120), 0.45), light_level, colour(255, 248, 235), 0.0)

    def __call__(self, time: float) -> Array:
        image = self._sky
        for layer in self._layers:
            cover, bright, thick = layer(time)
            tone = mix(self._shade, self._lit, bright) + self._glow * (1.0 - thick) * 0.35
            image = mix(image, mix(tone, self._haze, self._mist), cover)
        return image


class _Dusk:
    """Colours that drift from one evening palette to a later one, clouds lit from below near the sun."""

    def __init__(self, dice: RandomStream, view: SkyView) -> None:
        self._view = view
        first = dice.below(len(_DUSK))
        second = (first + 1 + dice.below(len(_DUSK) - 1)) % len(_DUSK)
        self._from = [colour(*c) for c in _DUSK[first]]
        self._to = [colour(*c) for c in _DUSK[second]]
        self._begin = dice.between(-40.0, 10.0)
        self._length = dice.between(80.0, 150.0)
        self._sun = dice.between(0.1, 0.9)
        self._sink = dice.between(0.0008, 0.0022)
        self._height = dice.between(0.02, 0.12)
        wind = dice.between(-0.1, 0.1) + (0.0 if dice.chance(0.5) else 0.5)
        light = (0.5 if self._sun > 0.5 else -0.5, 0.85)
        names = (("broken",), ("cirrus", "heaps"), ("mackerel",), ("veil", "bank"), ("cirrus", "broken"))
        chosen = names[dice.below(len(names))]
        drift = dice.between(0.18, 0.38)
        self._layers = [
            Clouds(dice, view, KINDS[n], wind, drift * (0.6 if k < len(chosen) - 1 else 1.0), light)
            for k, n in enumerate(chosen)
        ]
        self._low = smoothstep(0.0, 0.4, view.rise)
        self._high = smoothstep(0.15, 1.0, view.rise)
        side = view.x - self._sun
        self._near = 1.0 / (1.0 + side * side * 4.0 + view.rise * view.rise * 2.0)
        self._mist = smoothstep(0.25, 0.0, view.rise) * 0.5
        self.light = LandLight(self._from[2] * 0.55, dice.between(0.14, 0.3), self._from[3], 0.28)

    def __call__(self, time: float) -> Array:
        p = step(0.0, 1.0, (time - self._begin) / self._length)
        zenith, middle, low, glow, lit, shade = (mix(a, b, p) for a, b in zip(self._from, self._to, strict=True))
        height = self._view.horizon - self._height + self._sink * time
        halo = self._view.glow(self._sun, height, 0.2) * (1.0 - 0.35 * p)
        core = self._view.glow(self._sun, height, 0.035) * (1.0 - 0.6 * p)
        image = mix(mix(low, middle, self._low), zenith, self._high)
        image = mix(image, glow, halo * 0.85) + core * 0.5
        for layer in self._layers:
            cover, bright, thick = layer(time)
            warm = np.clip(bright * (0.35 + 0.95 * self._near), 0.0, 1.0)
            tone = mix(shade, lit, warm)
            tone = mix(tone, glow, halo * (1.0 - thick) * 0.8)
            image = mix(image, mix(tone, low, self._mist), cover * 0.95)
        return image


class _Stars:
    """Stars and a faint milky band that turn about a pole."""

    def __init__(self, dice: RandomStream, view: SkyView, density: float) -> None:
        self._view = view
        self._pole = (dice.between(-0.1, 1.1), dice.between(-0.2, 0.55))
        self._rate = dice.between(0.022, 0.042) / 32.0 * dice.sign()
        reach = 1.75
        count = int(density * 3.14 * reach * reach)
        self._radius = np.sqrt(dice.array(0.0, 1.0, count)) * reach
        self._turn = dice.array(0.0, 1.0, count)
        u = dice.array(0.0, 1.0, count)
        u3 = u * u * u
        self._power = 0.15 + u3 * 0.22 + u3 * u3 * u3 * 1.6
        warmth = dice.array(0.0, 1.0, count)
        self._tints = (0.82 + warmth * 0.3, np.full(count, 0.94), 1.12 - warmth * 0.3)
        self._band = unit(dice.between(0.0, 1.0))
        self._offset = dice.between(0.1, 0.35) * dice.sign()
        self._cloud = FractalNoise(dice, 5, 0.0, roughness=0.6)
        self._milk = dice.between(0.14, 0.34)

    def __call__(self, time: float) -> Array:
        """Return the light [3, rows, side] to add to the sky."""
        view = self._view
        angle = self._turn + self._rate * time
        x = (self._pole[0] + self._radius * cos_turn(angle)) * view.side - 0.5
        y = (self._pole[1] + self._radius * sin_turn(angle)) * view.side - 0.5
        rows, columns = view.x.shape
        seen = (x > -3.0) & (x < columns + 2.0) & (y > -3.0) & (y < rows + 2.0)
        x, y, power = x[seen], y[seen], self._power[seen]
        tints = [t[seen] for t in self._tints]
        # At twice the frame size a star is wider, to stay as bright after averaging.
        radius = (1.3 + 0.45 * np.minimum(power, 1.5)) * max(1.0, view.side / 215.0)
        x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        light = np.zeros((3, rows * columns))
        for i in range(-3, 5):
            for j in range(-3, 5):
                dx, dy = x0 + j - x, y0 + i - y
                w = np.maximum(0.0, 1.0 - (dx * dx + dy * dy) / (radius * radius))
                px, py = x0 + j, y0 + i
                ok = (w > 0.0) & (px >= 0) & (px < columns) & (py >= 0) & (py < rows)
                if not ok.any():
                    continue
                index = (py * columns + px)[ok]
                value = (w * w * power)[ok]
                for plane in range(3):
                    # Whole 1/65536 steps: sums of integers do not depend on their order.
                    whole = np.floor(value * tints[plane][ok] * 65536.0).astype(np.int64)
                    total = np.zeros(rows * columns, dtype=np.int64)
                    np.add.at(total, index, whole)
                    light[plane] += total.astype(np.float64) * (1.0 / 65536.0)
        image = light.reshape(3, rows, columns)
        c, s = unit(-self._rate * time)
        px_, py_ = view.x - self._pole[0], view.y - self._pole[1]
        sx, sy = px_ * c - py_ * s, px_ * s + py_ * c
        across = sx * self._band[0] + sy * self._band[1] - self._offset
        knots = self._cloud(sx * 2.6, sy * 2.6, 0.0)
        wide = across + knots * 0.05
        milk = exp(wide * wide * -28.0) * np.clip(0.7 + knots * 0.55, 0.0, 2.0)
        lane = exp(wide * wide * -400.0) * 0.45
        return image + milk * (1.0 - lane) * self._milk * colour(190, 196, 235)


class _Night:
    """Dark sky over a glowing horizon, turning stars, sometimes thin clouds."""

    def __init__(self, dice: RandomStream, view: SkyView) -> None:
        tops = ((8, 14, 36), (14, 14, 30), (6, 24, 44), (20, 20, 52))
        lows = ((44, 56, 92), (110, 74, 50), (40, 84, 92), (88, 60, 96))
        pick = dice.below(4)
        self._stars = _Stars(dice, view, dice.between(150.0, 260.0))
        self._low = colour(*lows[pick])
        self._sky = mix(self._low, colour(*tops[pick]), smoothstep(-0.05, 0.65, view.rise))
        self._clear = 0.25 + 0.75 * smoothstep(0.0, 0.3, view.rise)
        wind = 0.0 if dice.chance(0.5) else 0.5
        self._veil = Clouds(dice, view, KINDS["broken" if dice.chance(0.5) else "cirrus"], wind, 0.3, (0.0, 1.0))
        self._cloudy = dice.between(0.3, 0.6) if dice.chance(0.6) else 0.0
        self.light = LandLight(self._low * 0.5, dice.between(0.06, 0.14), colour(170, 190, 255), 0.3)

    def __call__(self, time: float) -> Array:
        image = self._sky + self._stars(time) * self._clear
        if self._cloudy > 0.0:
            cover, bright, _ = self._veil(time)
            image = mix(image, self._low * (0.45 + 0.7 * bright), cover * self._cloudy)
        return image


class _Aurora:
    """Waving curtains of vertical rays, green below and purple above, stars behind."""

    def __init__(self, dice: RandomStream, view: SkyView) -> None:
        self._view = view
        self._stars = _Stars(dice, view, dice.between(120.0, 200.0))
        self._sky = mix(colour(20, 44, 54), colour(6, 10, 28), smoothstep(0.0, 0.6, view.rise))
        self._violet = dice.between(0.25, 0.9)
        self._curtains = []
        for k in range(2 + dice.below(2)):
            waves = [(dice.between(0.5, 1.2), dice.between(0.06, 0.14)), (dice.between(1.5, 2.6), 0.05)]
            paces = [dice.between(0.003, 0.007) * dice.sign(), dice.between(0.006, 0.012) * dice.sign()]
            phases = [dice.between(0.0, 1.0) for _ in range(4)]
            level = dice.between(0.45, 0.68) - 0.16 * k
            power = dice.between(0.95, 1.3) * (1.0 if k == 0 else 0.65)
            rays = FractalNoise(dice, 3, 0.006, roughness=0.6)
            self._curtains.append((waves, paces, phases, level, power, rays, dice.between(-0.3, 0.3)))
        self.light = LandLight(colour(14, 40, 42), dice.between(0.06, 0.12), colour(150, 255, 210), 0.2)

    def __call__(self, time: float) -> Array:
        view = self._view
        rows, columns = view.x.shape
        image = self._sky + self._stars(time) * 0.8
        s = (np.arange(560, dtype=np.float64) + 0.5) / 560.0
        row = (np.arange(rows, dtype=np.float64) + 0.5) / view.side
        for waves, paces, phases, level, power, rays, tilt in self._curtains:
            x, y = s * 1.7 - 0.35, level + tilt * (s - 0.5)
            for k, (count, size) in enumerate(waves):
                angle = s * count * 1.7 + phases[k] + paces[k] * time
                # Sideways folds crowd the sheet together: there it is brightest, as in real curtains.
                x = x + size * (0.9 - 0.4 * k) * sin_turn(angle)
                y = y + size * (0.8 + 0.3 * k) * sin_turn(angle + 0.2 + 0.1 * k)
            # Kinks that wander: without them the curtain is a plain sine.
            wander, kink = two_noises(s * 3.1 + phases[0] * 32.0, np.full_like(s, phases[1] * 32.0 + time * 0.018))
            x, y = x + wander * 0.055, y + kink * 0.05
            grain = rays(s * 13.0 + phases[2] * 9.0, np.full_like(s, phases[3]) + time * 0.01, time)
            strength = power * np.clip(0.62 + grain * 0.42, 0.2, 2.0) * (columns / 560.0)
            tall = 0.13 + 0.07 * np.clip(grain + 0.6, 0.0, 2.0)
            above = (y[:, None] - row[None, :]) / tall[:, None]
            profile = np.where(above > 0.0, exp(above * -1.1), exp(above * 8.0)) * strength[:, None]
            high = np.clip(above * 0.55, 0.0, 1.0)
            place = x * columns - 0.5
            left = np.floor(place)
            for part, weight in ((left, left + 1.0 - place), (left + 1.0, place - left)):
                index = part.astype(np.int64)
                ok = (index >= 0) & (index < columns)
                lit = profile[ok] * weight[ok][:, None]
                green = np.zeros((columns, rows), dtype=np.int64)
                purple = np.zeros((columns, rows), dtype=np.int64)
                np.add.at(green, index[ok], np.floor(lit * (1.0 - high[ok]) * 65536.0).astype(np.int64))
                np.add.at(purple, index[ok], np.floor(lit * high[ok] * 65536.0).astype(np.int64))
                image = image + green.T.astype(np.float64) * (0.62 / 65536.0) * colour(70, 255, 140)
                image = image + purple.T.astype(np.float64) * (self._violet / 65536.0) * colour(190, 70, 220)
        return image


class SkyVideo:
    """One sky video: the same scene, seed and size always give the same frames at the same times."""

    def __init__(self, scene: str, seed: int, size: int) -> None:
        dice = RandomStream("sky", scene, seed)
        horizon = dice.between(1.02, 1.25) if scene == "day" and dice.chance(0.3) else dice.between(0.7, 0.93)
        painters: dict[str, type[_Day | _Dusk | _Night | _Aurora]] = {
            "day": _Day,
            "dusk": _Dusk,
            "night": _Night,
            "aurora": _Aurora,
        }
        land_dice = RandomStream("land", scene, seed)
        # The light does not depend on the view, so a small view provides it before the land is known.
        light = painters[scene](RandomStream("sky", scene, seed, 1), SkyView(4, *pixel_centres(8, 8, 8), horizon)).light
        self._land = Land(land_dice, size, light, horizon)
        sky_rows = np.flatnonzero((self._land.alpha < 1.0).any(axis=1))
        self._rows = int(sky_rows[-1]) + 1
        self._size = size
        view = SkyView(size, *pixel_centres(self._rows * SUPER, size * SUPER, size * SUPER), horizon)
        self._paint = painters[scene](RandomStream("sky", scene, seed, 1), view)

    @property
    def foreground(self) -> NDArray[np.bool_]:
        """Mask [H, W], True where land covers the whole pixel and nothing may ever change."""
        return self._land.alpha >= 1.0

    def frame(self, time: int) -> NDArray[np.uint8]:
        """Return the frame at this time (0, 1, ...) as uint8 [H, W, 3]."""
        sky = np.zeros((3, self._size, self._size))
        sky[:, : self._rows] = box(np.clip(self._paint(float(time)), 0.0, 1.0), SUPER)
        return quantise(sky * (1.0 - self._land.alpha) + self._land.image)
