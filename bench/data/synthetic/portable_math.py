"""Arithmetic that gives the same bits on every machine, and the noise built on it.

Only operations that IEEE 754 rounds exactly (+, -, *, /, square root, floor, comparisons) and integer
hashes are used, one array operation at a time. numpy's own sin, exp or power differ in the last bit between
processors.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TAU = 6.283185307179586
_MASK = (1 << 64) - 1
_CELLS = 32  # period of the noise, in lattice cells
_FINE = 16  # texels per cell: linear interpolation between them stays invisible
_SIDE = _CELLS * _FINE


def sin_turn(turns: Array) -> Array:
    """Return the sine of an angle given in turns (1 = a full circle), elementwise, error below 1e-7."""
    r = turns - np.floor(turns + 0.5)
    r = np.where(r > 0.25, 0.5 - r, np.where(r < -0.25, -0.5 - r, r))
    x = r * _TAU
    y = x * x
    p = y * (-1.0 / 39916800.0) + 1.0 / 362880.0
    p = p * y - 1.0 / 5040.0
    p = p * y + 1.0 / 120.0
    p = p * y - 1.0 / 6.0
    p = p * y + 1.0
    return x * p


def cos_turn(turns: Array) -> Array:
    """Return the cosine of an angle given in turns, elementwise, error below 1e-7."""
    return sin_turn(turns + 0.25)


def unit(turns: float) -> tuple[float, float]:
    """Return (cosine, sine) of one angle in turns as Python floats."""
    pair = sin_turn(np.array([turns + 0.25, turns]))
    return float(pair[0]), float(pair[1])


def exp(x: Array) -> Array:
    """Return e to the x, elementwise, for x from -40 to 4 (clipped to it), relative error below 1e-4."""
    y = np.clip(x, -40.0, 4.0) * (1.0 / 64.0)
    p = y * (1.0 / 720.0) + 1.0 / 120.0
    p = p * y + 1.0 / 24.0
    p = p * y + 1.0 / 6.0
    p = p * y + 0.5
    p = p * y + 1.0
    p = p * y + 1.0
    for _ in range(6):
        p = p * p
    return p


def smoothstep(low: float, high: float, x: Array) -> Array:
    """Return 0 at or below ``low``, 1 at or above ``high``, a cubic in between (``low > high`` mirrors)."""
    t = np.clip((x - low) * (1.0 / (high - low)), 0.0, 1.0)
    return t * t * (3.0 - t * 2.0)


def step(low: float, high: float, x: float) -> float:
    """Return :func:`smoothstep` of one number as a Python float."""
    return float(smoothstep(low, high, np.array([x]))[0])


def box(image: Array, k: int) -> Array:
    """Return the means of k×k blocks over the last two axes, added up in a fixed order."""
    total = np.zeros_like(image[..., ::k, ::k])
    for i in range(k):
        for j in range(k):
            total = total + image[..., i::k, j::k]
    return total * (1.0 / (k * k))


def pixel_centres(rows: int, columns: int, side: int) -> tuple[Array, Array]:
    """Return the pixel centres x and y, each [rows, columns], of the top-left part of a frame ``side`` wide.

    Both are in frame widths: 0 is the left or upper edge, 1 the other one.
    """
    x = (np.arange(columns, dtype=np.float64) + 0.5) / side
    y = (np.arange(rows, dtype=np.float64) + 0.5) / side
    return np.tile(x, (rows, 1)), np.repeat(y, columns).reshape(rows, columns)


def colour(red: float, green: float, blue: float) -> Array:
    """Return a colour [3, 1, 1] in 0..1 from 8-bit sRGB values."""
    return np.array([red, green, blue], dtype=np.float64).reshape(3, 1, 1) / 255.0


def mix(a: Array, b: Array, t: Array | float) -> Array:
    """Return the blend of a (at t = 0) and b (at t = 1), elementwise with broadcasting."""
    return a + (b - a) * t


def quantise(image: Array) -> NDArray[np.uint8]:
    """Return planes [3, H, W] in 0..1 as uint8 [H, W, 3], with a static dither against banding."""
    rows, columns = image.shape[-2:]
    noise = hash_unit(np.arange(rows)[:, None], np.arange(columns)[None, :], 77) - 0.5
    levels = np.floor(np.clip(image, 0.0, 1.0) * 255.0 + noise * 0.9 + 0.5)
    return np.ascontiguousarray(np.clip(levels, 0.0, 255.0).astype(np.uint8).transpose(1, 2, 0))


class RandomStream:
    """A stream of random numbers from integers alone (splitmix64), the same under every numpy version."""

    def __init__(self, *key: int | str) -> None:
        state = 0x9E3779B97F4A7C15
        for part in key:
            data = part.encode() if isinstance(part, str) else str(int(part)).encode()
            for byte in (*data, 0):
                state = ((state ^ byte) * 0x100000001B3) & _MASK
        self._state = state

    def bits(self) -> int:
        """Return the next 64 bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def between(self, low: float, high: float) -> float:
        """Return a number in [low, high)."""
        return low + (high - low) * ((self.bits() >> 11) / 9007199254740992.0)

    def below(self, count: int) -> int:
        """Return an integer from 0 to count - 1."""
        return (self.bits() >> 11) % count

    def chance(self, share: float) -> bool:
        """Return True in this share of the calls."""
        return self.between(0.0, 1.0) < share

    def sign(self) -> float:
        """Return -1 or 1."""
        return 1.0 if self.chance(0.5) else -1.0

    def array(self, low: float, high: float, count: int) -> Array:
        """Return ``count`` numbers in [low, high)."""
        return np.array([self.between(low, high) for _ in range(count)], dtype=np.float64)


def hash_unit(i: NDArray[np.int64], j: NDArray[np.int64], salt: int) -> Array:
    """Return a number in [0, 1) for each pair of integers (broadcast), fixed by the pair and the salt."""
    z = i.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = z ^ (j.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)) ^ np.uint64(salt)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * (1.0 / 9007199254740992.0)


def _gradient_noise(salt: int) -> Array:
    """Return one period of gradient noise [_SIDE, _SIDE] with standard deviation near 0.5."""
    lattice = np.arange(_CELLS)
    turns = hash_unit(lattice[:, None], lattice[None, :], salt)
    gx, gy = cos_turn(turns), sin_turn(turns)
    position = np.arange(_SIDE, dtype=np.float64) / _FINE
    cell = np.floor(position)
    inside = position - cell
    low = cell.astype(np.int64)
    fade = inside * inside * inside * (inside * (inside * 6.0 - 15.0) + 10.0)
    total = np.zeros((_SIDE, _SIDE))
    for a in (0, 1):
        for b in (0, 1):
            rows, columns = (low + a) % _CELLS, (low + b) % _CELLS
            wy = fade if a else 1.0 - fade
            wx = fade if b else 1.0 - fade
            dot = gy[rows][:, columns] * (inside - a)[:, None] + gx[rows][:, columns] * (inside - b)[None, :]
            total = total + dot * (wy[:, None] * wx[None, :])
    return total * 2.0


@lru_cache(maxsize=1)
def _texture() -> NDArray[np.complex128]:
    """Return two independent noises as one flat complex array, so that one look-up fetches both."""
    both = np.empty((_SIDE, _SIDE), dtype=np.complex128)
    both.real = _gradient_noise(11)
    both.imag = _gradient_noise(23)
    return both.ravel()


def two_noises(u: Array, v: Array) -> tuple[Array, Array]:
    """Return two independent smooth noises (about -1..1, period 32) at u, v in lattice cells."""
    x, y = u * _FINE, v * _FINE
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = x - x0, y - y0
    left = x0.astype(np.int64) & (_SIDE - 1)
    right = (left + 1) & (_SIDE - 1)
    upper = (y0.astype(np.int64) & (_SIDE - 1)) * _SIDE
    lower = (upper + _SIDE) & (_SIDE * _SIDE - 1)
    texture = _texture()
    fxy = fx * fy
    first, second = np.zeros_like(fx), np.zeros_like(fx)
    for index, weight in (
        (upper + left, 1.0 - fx - fy + fxy),
        (upper + right, fx - fxy),
        (lower + left, fy - fxy),
        (lower + right, fxy),
    ):
        pair = texture.take(index)
        first += pair.real * weight
        second += pair.imag * weight
    return first, second


class FractalNoise:
    """Several octaves of noise, each rotated against the previous one, that change shape over time.

    An octave is cos·A + sin·B of two independent noises with a slowly advancing angle: it evolves smoothly and
    for ever at constant strength. ``pace`` is in turns of the largest octave per frame; smaller ones are faster.
    """

    def __init__(self, dice: RandomStream, octaves: int, pace: float, *, roughness: float = 0.5) -> None:
        self.octaves = octaves
        self.roughness = roughness
        self._start = [dice.between(0.0, 1.0) for _ in range(octaves)]
        self._shift = [(dice.between(0.0, 32.0), dice.between(0.0, 32.0)) for _ in range(octaves)]
        self._pace = pace

    def __call__(self, u: Array, v: Array, time: float, fade: list[Array] | None = None, billow: float = 0.0) -> Array:
        """Return the noise (standard deviation near 0.6) at u, v in cells of the largest octave.

        ``fade`` contains a weight 0..1 per octave and pixel (to leave out detail finer than a pixel);
        ``billow`` from 0 to 1 turns the finer octaves into round heaps with sharp creases.
        """
        total = np.zeros_like(u)
        gain, pace = 1.0, self._pace
        for k in range(self.octaves):
            a, b = two_noises(u + self._shift[k][0], v + self._shift[k][1])
            c, s = unit(self._start[k] + pace * time)
            noise = a * c + b * s
            if billow > 0.0 and k >= 1:
                noise = mix(noise, 0.75 - np.abs(noise) * 2.0, billow)
            total += noise * gain if fade is None else noise * (fade[k] * gain)
            gain *= self.roughness
            pace *= 1.45
            # A rational rotation by 36.87 degrees and a scale of 2, so that lattice lines do not add up.
            u, v = u * 1.6 - v * 1.2, u * 1.2 + v * 1.6
        return total
