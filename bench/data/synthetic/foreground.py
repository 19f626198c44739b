"""The still foreground of the synthetic sky scenes: ridges, fields, trees, buildings, side foliage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.synthetic.portable_math import (
    Array,
    FractalNoise,
    RandomStream,
    box,
    colour,
    mix,
    pixel_centres,
    smoothstep,
)

_SUPER = 4  # samples per pixel and axis

_GREENS = ((70, 92, 48), (88, 84, 50), (52, 74, 52), (110, 96, 62), (62, 66, 58))


@dataclass(frozen=True)
class LandLight:
    """How the land is lit.

    Far ridges fade to ``haze`` [3, 1, 1], and ``tint`` [3, 1, 1] and ``level`` scale the near colours.
    ``windows`` is the share of lit windows.
    """

    haze: Array
    level: float
    tint: Array
    windows: float


class Land:
    """Painted land: ``image`` [3, S, S] in 0..1 already multiplied by its cover ``alpha`` [S, S]."""

    def __init__(self, dice: RandomStream, size: int, light: LandLight, horizon: float) -> None:
        side = size * _SUPER
        self._side = side
        self._dice = dice
        self._light = light
        self._x, self._y = pixel_centres(side, side, side)
        self._mask = np.zeros((side, side), dtype=np.bool_)
        self._rgb = np.zeros((3, side, side))
        kind = dice.below(5)
        if horizon < 1.0:
            self._ridges(horizon, steep=dice.between(0.02, 0.16))
            if kind == 0:
                self._town(horizon)
            elif kind in (1, 2):
                self._conifers(horizon)
            elif kind == 3:
                self._poles(horizon)
        elif kind in (0, 1):
            self._house()
            if kind == 1:
                self._foliage(dice.sign(), dice.between(0.04, 0.1))
        elif kind in (2, 3):
            self._foliage(0.0, dice.between(0.04, 0.1))
        if kind == 4:
            self._foliage(dice.sign(), dice.between(0.06, 0.14))
        self.alpha = box(self._mask.astype(np.float64), _SUPER)
        self.image = box(self._rgb, _SUPER)

    def _put(self, mask: NDArray[np.bool_], shade: Array) -> None:
        self._mask |= mask
        self._rgb = np.where(mask, np.broadcast_to(shade, self._rgb.shape), self._rgb)

    def _lit(self, base: Array) -> Array:
        return base * self._light.tint * self._light.level

    def _profile(self, x: Array, rough: int, scale: float) -> Array:
        return FractalNoise(self._dice, rough, 0.0)(x * scale, np.zeros_like(x), 0.0)

    def _ridges(self, horizon: float, steep: float) -> None:
        """Paint two to four ridges, each nearer, darker and lower in the frame than the one behind."""
        dice = self._dice
        count = 2 + dice.below(3)
        line = (np.arange(self._side, dtype=np.float64) + 0.5) / self._side
        ground = colour(*_GREENS[dice.below(len(_GREENS))])
        mottle = FractalNoise(dice, 4, 0.0, roughness=0.65)(self._x * 7.0, self._y * 16.0, 0.0)
        for k in range(count):
            near = k / (count - 1.0)
            relief = steep * (1.0 - near * 0.75)
            level = horizon - 0.01 + near * 0.7 * (1.0 - horizon) - relief * 0.4
            top = level - relief * self._profile(line, 5, dice.between(1.5, 3.2))
            # The land must reach the horizon everywhere, or sky below it would show.
            top = np.minimum(top, horizon - 0.004 + near * 0.9 * (1.0 - horizon))
            mask = self._y >= top[None, :]
            depth = np.clip((self._y - top[None, :]) * 5.0, 0.0, 1.0)
            shade = self._lit(ground) * (0.75 + mottle * 0.3 - depth * 0.25)
            far = 0.78 * (1.0 - near) * (1.0 - near)
            self._put(mask, mix(np.clip(shade, 0.0, 1.0), self._light.haze, far))

    def _town(self, horizon: float) -> None:
        """Paint rows of buildings with windows, the nearer row darker and taller."""
        dice = self._dice
        tall = dice.between(0.06, 0.2)
        for row in (0, 1):
            x: float = dice.between(-0.06, 0.0)
            while x < 1.02:
                width = dice.between(0.03, 0.1)
                height = tall * dice.between(0.25, 1.0) * (0.6 + 0.5 * row)
                if dice.chance(0.75):
                    self._block(x, width, horizon + 0.03 * row - height, row)
                x += width * dice.between(0.85, 1.3)

    def _block(self, x: float, width: float, top: float, row: int) -> None:
        dice = self._dice
        bricks = ((120, 112, 105), (132, 92, 74), (90, 96, 108), (150, 142, 128))
        wall = self._lit(colour(*bricks[dice.below(4)])) * (0.8 if row else 1.0)
        wall = mix(wall, self._light.haze, 0.3 if row == 0 else 0.05)
        inside = (self._x >= x) & (self._x < x + width) & (self._y >= top)
        self._put(inside, wall)
        cell = dice.between(0.011, 0.016)
        i, j = np.floor((self._x - x) / cell), np.floor((self._y - top) / cell)
        a, b = (self._x - x) / cell - i, (self._y - top) / cell - j
        pane = inside & (a > 0.25) & (a < 0.75) & (b > 0.3) & (b < 0.8)
        # A cheap integer pattern decides which windows are lit.
        lit = np.floor((i * 37.0 + j * 61.0 + np.floor(x * 997.0)) * 0.618) % 7.0 < self._light.windows * 7.0
        self._put(pane & ~lit, wall * 0.74)
        if self._light.windows > 0.0:
            self._put(pane & lit, colour(255, 205 - 25 * dice.below(3), 120))

    def _conifers(self, horizon: float) -> None:
        """Paint a row of firs: notched triangles, bunched into groups."""
        dice = self._dice
        foot = horizon + dice.between(0.3, 0.7) * (1.0 - horizon) + 0.02
        tall = dice.between(0.07, 0.2)
        shade = self._lit(colour(38, 52, 36)) * 0.75
        for _ in range(14 + dice.below(26)):
            middle = dice.between(-0.05, 1.05)
            height = tall * dice.between(0.45, 1.0)
            down = (self._y - (foot - height)) / height
            notch = down * 7.0 - np.floor(down * 7.0)
            half = height * 0.2 * down * (0.62 + 0.38 * notch)
            mask = (np.abs(self._x - middle) <= half + 0.002) & (down >= 0.0) & (self._y < foot + 0.03)
            self._put(mask, shade)
        low = foot + 0.012 * self._profile(self._x[0], 4, 5.0)
        self._put(self._y >= low[None, :], shade)

    def _poles(self, horizon: float) -> None:
        """Paint broad-leaved trees in the field and a line of poles with hanging wires."""
        dice = self._dice
        shade = self._lit(colour(40, 44, 34)) * 0.7
        for _ in range(2 + dice.below(5)):
            x, r = dice.between(0.0, 1.0), dice.between(0.015, 0.045)
            base = horizon + dice.between(0.0, 0.35) * (1.0 - horizon) + 0.01
            dx, dy = (self._x - x) / r, (self._y - (base - r * 0.95)) / (r * 0.95)
            edge = FractalNoise(dice, 3, 0.0)(dx * 1.1, dy * 1.1, 0.0) * 0.6
            self._put(dx * dx + dy * dy < 1.0 + edge, shade)
            self._put((np.abs(dx) < 0.09) & (self._y < base) & (dy > 0.0), shade)
        gap, first = dice.between(0.28, 0.42), dice.between(0.0, 0.25)
        top, foot = horizon - dice.between(0.1, 0.2), horizon + 0.05
        span = (self._x - first) / gap
        part = span - np.floor(span)
        wire = top + 0.012 + 0.07 * part * (1.0 - part)
        self._put(np.abs(self._y - wire) < 0.0022, shade)
        pole = (part * gap < 0.008) & (self._y > top) & (self._y < foot)
        arm = (np.abs(part * gap - 0.004) < 0.02) & (np.abs(self._y - top - 0.012) < 0.004)
        self._put(pole | arm, shade)

    def _foliage(self, side: float, reach: float) -> None:
        """Paint leaves of near trees from the left (-1), right (1) or below (0), with gaps that show the sky."""
        dice = self._dice
        inward, along = 1.0 - self._y, self._x
        if side > 0.0:
            inward, along = 1.0 - self._x, self._y
        elif side < 0.0:
            inward, along = self._x, self._y
        leaves = FractalNoise(dice, 6, 0.0, roughness=0.75)(self._x * 3.5, self._y * 3.5, 0.0)
        # A crown that thins out away from its middle, not a straight hedge.
        away = along - dice.between(0.2, 0.9)
        crown = reach * (1.25 - away * away * 2.2)
        mask = crown - inward + leaves * 0.08 > 0.0
        tone = np.clip(0.7 + leaves * 0.5, 0.25, 1.4)
        self._put(mask, self._lit(colour(44, 54, 34)) * 0.8 * tone)

    def _house(self) -> None:
        """Paint the gable of a near house at the lower edge."""
        dice = self._dice
        ridge, height = dice.between(0.1, 0.9), dice.between(0.1, 0.24)
        slope = dice.between(0.6, 1.0)
        roof = self._y - (1.0 - height) - np.abs(self._x - ridge) * slope
        wall = self._lit(colour(120, 104, 92))
        self._put(roof >= 0.0, wall * 0.6)
        self._put(roof >= 0.025, wall * (1.0 - 0.3 * smoothstep(0.0, 0.2, roof)))
