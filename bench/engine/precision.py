"""Choice of the precision in which a device computes, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from bench.errors import BenchError

#: Versions of cuDNN, as PyTorch numbers them, whose 3D convolutions of large bf16 inputs are wrong: 9.8 to 9.14
#: (pytorch#163539, #166480). PyTorch 2.9 bypasses cuDNN there, at a quarter of the speed (pytorch#166122) and with
#: twice the memory (pytorch#166643).
WRONG_BF16 = range(90800, 91500)
#: Versions with a broken 3D convolution in TF32, for unknown shapes: 9.10.2 to 9.15 (pytorch#167024).
WRONG_TF32 = range(91002, 91600)
#: The first version without either fault, and the first PyTorch that ships such a version; 2.8 to 2.10 ship 9.10.2.
SOUND, SOUND_PYTORCH = "9.16", "2.11"


@dataclass(frozen=True)
class Precision:
    """The precision in which a device computes.

    Attributes:
        name: Fabric's name for it.
        tf32: whether cuDNN may compute float32 convolutions in TF32, where PyTorch allows it.
        reason: a sentence without a full stop.
    """

    name: Literal["32-true", "bf16-mixed"]
    tf32: bool
    reason: str

    def apply(self) -> None:
        """Turn TF32 off in this process's cuDNN if it is broken; never turn it on."""
        if not self.tf32:
            torch.backends.cudnn.allow_tf32 = False


def choose_precision(device: str, requested: str = "auto") -> Precision:
    """Choose the precision in which a device computes.

    Args:
        device: "cpu" or "cuda".
        requested: "32-true", "bf16-mixed", or "auto": bf16 mixed precision on GPUs that support it, else float32.

    Raises:
        BenchError: "bf16-mixed" is requested, but this version of cuDNN computes it incorrectly.
    """
    number = _cudnn() if device == "cuda" else 0
    if requested == "bf16-mixed" and number in WRONG_BF16:
        raise BenchError(f"The precision is bf16-mixed, but {_wrong_bf16(number)}: use 32-true, or {_mend()}.")
    # Without the argument, this includes the T4 and V100, which emulate bf16 more slowly than they compute in float32.
    has_bf16 = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    bf16 = requested == "bf16-mixed" or (requested == "auto" and has_bf16 and number not in WRONG_BF16)
    reasons = ["bf16 mixed precision" if bf16 else "float32"]
    if device == "cuda" and not has_bf16:
        reasons.append("the GPU only emulates bf16")
    if number in WRONG_BF16:
        reasons.append(_wrong_bf16(number))
    if number in WRONG_TF32:
        reasons.append(f"TF32 is off because {_in_words(number)} has a broken TF32 convolution (pytorch#167024)")
    if number in WRONG_BF16 or number in WRONG_TF32:
        reasons.append(f"to fix this, {_mend()}")
    return Precision("bf16-mixed" if bf16 else "32-true", number not in WRONG_TF32, "; ".join(reasons))


def _cudnn() -> int:
    """PyTorch's number for the cuDNN version in use (91002 for 9.10.2); 0 if there is none, as on AMD's GPUs."""
    return 0 if torch.version.hip else torch.backends.cudnn.version() or 0


def _in_words(number: int) -> str:
    return f"cuDNN {number // 10_000}.{number // 100 % 100}.{number % 100}"


def _wrong_bf16(number: int) -> str:
    return f"{_in_words(number)} computes wrong bf16 3D convolutions, or PyTorch bypasses it (pytorch#163539, #166122)"


def _mend() -> str:
    cuda = (torch.version.cuda or "12").split(".")[0]
    cudnn = f"cuDNN {SOUND} or newer (`pip install 'nvidia-cudnn-cu{cuda}>={SOUND}'`)"
    return f"install PyTorch {SOUND_PYTORCH} or newer, or {cudnn}"
