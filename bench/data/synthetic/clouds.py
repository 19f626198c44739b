"""Drifting cloud layers in perspective, for the synthetic sky and shore scenes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.data.synthetic.portable_math import Array, FractalNoise, RandomStream, smoothstep, two_noises, unit

SUPER = 2
"""Samples per pixel and axis: the sky is painted this much larger and averaged."""


class SkyView:
    """Viewing direction of each sky pixel of the enlarged frame, and the distance of a flat cloud deck there.

    ``x``, ``y``: position in the frame; ``rise``: height above the horizon; ``far``: distance of the deck.
    Only the rows that show sky are stored. The deck bends down to the horizon like a dome, so that ``far`` stays
    finite.
    """

    def __init__(self, size: int, x: Array, y: Array, horizon: float) -> None:
        self.side = size * SUPER
        self.horizon = horizon
        self.x, self.y = x, y
        self.rise = np.maximum(horizon - y, 0.0)
        self.far = self.distance(self.y)

    def distance(self, y: Array) -> Array:
        """Return the distance of the deck, in units of its height, at the frame heights ``y``."""
        return 1.0 / (np.maximum(self.horizon - y, 0.0) * 0.85 + 0.13)

    def glow(self, x: float, y: float, radius: float) -> Array:
        """Return a round glow, 1 at (x, y) and one half at ``radius``, with long tails."""
        dx, dy = self.x - x, self.y - y
        return 1.0 / (1.0 + (dx * dx + dy * dy) / (radius * radius))


@dataclass(frozen=True)
class CloudKind:
    """One kind of cloud: cells across the deck, stretch along the wind, threshold, edge, shape, shading, depth."""

    scale: float
    stretch: float
    threshold: float
    soft: float
    billow: float
    octaves: int
    relief: float
    warp: float
    upright: bool = False
    opacity: float = 1.0
    roughness: float = 0.5
    depth: float = 1.7


KINDS = {
    "cumulus": CloudKind(1.5, 1.0, 0.06, 0.42, 0.55, 6, 1.3, 0.2),
    "heaps": CloudKind(2.1, 1.15, 0.0, 0.45, 0.35, 5, 1.4, 0.3, roughness=0.55),
    "mackerel": CloudKind(2.4, 1.3, -0.15, 0.75, 0.45, 5, 0.85, 0.22, roughness=0.66, opacity=0.9),
    "cirrus": CloudKind(1.1, 3.2, -0.1, 1.25, 0.0, 6, 0.35, 0.7, opacity=0.8, roughness=0.58),
    "overcast": CloudKind(1.25, 1.2, -1.5, 1.2, 0.35, 5, 0.85, 0.13, roughness=0.52, depth=3.4),
    "broken": CloudKind(1.2, 1.2, -0.35, 0.6, 0.45, 6, 1.2, 0.22),
    "bank": CloudKind(3.2, 1.3, 0.05, 0.3, 0.6, 5, 1.5, 0.2, upright=True),
    "veil": CloudKind(0.8, 2.2, -0.2, 1.6, 0.0, 4, 0.2, 0.6, opacity=0.45),
}


class Clouds:
    """One cloud layer that drifts with the wind and changes shape.

    ``drift`` is the share of the frame's width that the layer moves in 32 frames half-way up the sky.
    """

    def __init__(
        self, dice: RandomStream, view: SkyView, kind: CloudKind, wind: float, drift: float, light: tuple[float, float]
    ) -> None:
        self.kind = kind
        self._view = view
        c, s = unit(wind)
        self._shape = FractalNoise(dice, kind.octaves, dice.between(0.0012, 0.0028), roughness=kind.roughness)
        self._patches = FractalNoise(dice, 2, 0.001)
        self._turn = (c, s) if not kind.upright else (1.0, 0.0)
        half_way = 1.0 / (max(view.horizon, 0.5) * 0.5 * 0.85 + 0.13)
        speed = drift / 32.0 * (1.0 if kind.upright else half_way) * kind.scale
        self._speed = speed if not kind.upright or c >= 0.0 else -speed
        self._u, self._v = self._plane(view.x, view.y)
        # Shading compares each point with one a little nearer to the light, in whole enlarged pixels.
        reach = 0.022 * view.side
        self._light = (int(light[1] * reach + 50.5) - 50, int(light[0] * reach + 50.5) - 50)
        if kind.upright:
            pixel = np.full_like(view.x, kind.scale / view.side)
            base = dice.between(0.1, 0.3)
            self._bias = 0.7 - np.abs(view.rise - base * 0.5) * (1.2 / base)
        else:
            pixel = view.far * np.maximum(1.0, view.far * 0.55) * (kind.scale / view.side)
            self._bias = np.zeros_like(view.x)
        self._fade = [1.0 - smoothstep(0.3, 0.75, pixel * f) for f in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)[: kind.octaves]]

    def _plane(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Convert frame positions to positions on the layer, in its cells, along and across the wind."""
        if self.kind.upright:
            return (x - 0.5) * self.kind.scale, y * self.kind.scale * 1.5
        far = self._view.distance(y)
        a, b = (x - 0.5) * far, far
        c, s = self._turn
        k = self.kind.scale
        return (a * c + b * s) * (k / self.kind.stretch), (b * c - a * s) * k

    def __call__(self, time: float) -> tuple[Array, Array, Array]:
        """Return the layer's cover, its brightness (0 shaded, 1 lit) and its thickness, each 0..1."""
        kind = self.kind
        move = self._speed * time / kind.stretch
        u, v = self._u - move, self._v
        wa, wb = two_noises(u * 0.9 + 5.3, v * 0.9 + time * 0.003)
        u, v = u + wa * kind.warp, v + wb * kind.warp
        bias = self._bias + self._patches(u * 0.45, v * 0.45, time) * 0.55
        body = self._shape(u, v, time, self._fade, kind.billow) + bias
        excess = body - kind.threshold
        cover = smoothstep(0.0, kind.soft, excess) * kind.opacity
        thick = smoothstep(0.0, kind.depth, excess)
        bright = np.clip(0.62 + _slope(body, *self._light) * kind.relief - thick * (0.22 * kind.depth), 0.0, 1.0)
        return cover, bright, thick


def _slope(field: Array, down: int, right: int) -> Array:
    """Return the field minus its value ``down`` and ``right`` pixels away; borders repeat the nearest result."""
    for axis, step_ in ((0, down), (1, right)):
        assert abs(step_) < field.shape[axis], "the shading reaches over the whole frame"
    rows = np.clip(np.arange(field.shape[0]), max(-down, 0), field.shape[0] - 1 - max(down, 0))
    columns = np.clip(np.arange(field.shape[1]), max(-right, 0), field.shape[1] - 1 - max(right, 0))
    here = field.take(rows, 0).take(columns, 1)
    return here - field.take(rows + down, 0).take(columns + right, 1)
