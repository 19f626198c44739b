"""Protocols of papers by name: the flags of `bench score` that come closest to what each paper did.

The settings were taken from their public code: `universome/stylegan-v` (`src/metrics`, `src/training/dataset.py`),
`songweige/TATS` (`scripts`, `tats/data.py`) and `songweige/content-debiased-fvd` (`cdfvd/fvd.py`,
`cdfvd/utils/data_utils.py`). `docs/explanation/protocols.md` lists what still differs. A name is only an abbreviation
for flags: the protocol ID contains every choice, but not the name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.errors import BenchError, did_you_mean
from bench.scoring.protocol_choices import CHOICES, Choices, frames_after
from bench.scoring.scoring_plan import ScoringPlan

#: Number of real and of generated videos that papers on unconditional generation compare.
_MANY = 2048
#: 16 consecutive frames from anywhere in each training video, and as many generated videos.
_UNCONDITIONAL: Mapping[str, Any] = {
    "unpaired": True,
    "clip_length": 16,
    "sampling": "random",
    "reference_split": "train",
    "count": _MANY,
    "generated": _MANY,
}
NAMED_PROTOCOLS: Mapping[str, Mapping[str, Any]] = {
    "stylegan-v": {**_UNCONDITIONAL, "resolution": 256, "metrics": ("fvd",)},
    "tats": {**_UNCONDITIONAL, "resolution": 128, "crop": "centre", "metrics": ("fvd_videogpt",)},
    "cd-fvd": {
        **_UNCONDITIONAL,
        "resolution": 256,
        "crop": "centre",
        "metrics": ("fvd_videogpt",),
        "count": None,
    },
    "mdgan": {"frames": "all", "metrics": ("mse", "psnr", "ssim")},
}


def plan_of(name: str | None, given: Mapping[str, Any]) -> ScoringPlan:
    """Build a scoring plan from the name of a protocol and from flags, which override it.

    Args:
        name: name of a protocol, or None.
        given: fields of `ScoringPlan` and of `Choices`, and "context", an alternative to "frames"; None for flags that
            were not given.

    >>> plan_of("tats", {"draws": 10}).choices.flags()
    ['--unpaired', '--crop', 'centre', '--reference-split', 'train', '--draws', '10', '--generated', '2048']

    Raises:
        BenchError: the protocol is unknown, or flags contradict each other.
    """
    if name is not None and name not in NAMED_PROTOCOLS:
        known = ", ".join(NAMED_PROTOCOLS)
        raise BenchError(
            f"There is no protocol '{name}': expected one of {known}.{did_you_mean(name, NAMED_PROTOCOLS)}"
        )
    flags = {key: value for key, value in given.items() if value is not None}
    context = flags.pop("context", None)
    if context is not None:
        if flags.get("frames", frames_after(context)) != frames_after(context):
            raise BenchError(f"--frames {flags['frames']} and --context {context} contradict each other: give one.")
        flags["frames"] = frames_after(context)
    if flags.get("crop") == "center":
        flags["crop"] = "centre"
    settings = {"resolution": 0, "metrics": (), **(NAMED_PROTOCOLS[name] if name else {}), **flags}
    choices = Choices(**{key: value for key, value in settings.items() if key in CHOICES})
    return ScoringPlan(**{key: value for key, value in settings.items() if key not in CHOICES}, choices=choices)
