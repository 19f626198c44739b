from __future__ import annotations

from typing import ClassVar

import pytest
import torch

from bench.engine.devices import make_fabric
from bench.engine.precision import choose_precision
from bench.errors import BenchError
from bench.pipeline.doctor import examine
from bench.speed import train as speed_train
from bench.speed.train import TrainingSetup, TrainingSpeedOptions, measure_training


class Card:
    """A GPU as PyTorch sees it: whether it has bf16 or only emulates it, and the number of its cuDNN."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, bf16: bool, cudnn: int, hip: str | None = None) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Card")
        # As PyTorch's own, which counts emulation where it is not told otherwise.
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: bf16 or including_emulation
        )
        monkeypatch.setattr(torch.backends.cudnn, "version", lambda: cudnn)
        monkeypatch.setattr(torch.version, "hip", hip)
        monkeypatch.setattr(torch.version, "cuda", "12.8")
        monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)


@pytest.mark.parametrize(
    ("bf16", "cudnn", "name", "tf32"),
    [
        (True, 90100, "bf16-mixed", True),  # PyTorch 2.4
        (True, 90701, "bf16-mixed", True),
        (True, 90800, "32-true", True),
        (True, 91001, "32-true", True),
        (True, 91002, "32-true", False),  # PyTorch 2.8 and 2.9
        (True, 91499, "32-true", False),
        (True, 91501, "bf16-mixed", False),  # PyTorch 2.10
        (True, 91600, "bf16-mixed", True),
        (True, 92600, "bf16-mixed", True),
        (False, 92600, "32-true", True),  # a T4
        (False, 91002, "32-true", False),
    ],
)
def test_bf16_where_the_card_has_it_and_cudnn_is_right(
    bf16: bool, cudnn: int, name: str, tf32: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    Card(monkeypatch, bf16=bf16, cudnn=cudnn)
    chosen = choose_precision("cuda")
    assert (chosen.name, chosen.tf32) == (name, tf32)
    assert ("emulates" in chosen.reason) == (not bf16)
    assert ("pytorch#163539" in chosen.reason) == (90800 <= cudnn < 91500)
    assert ("TF32 is off" in chosen.reason) == ("pytorch#167024" in chosen.reason) == (not tf32)
    assert ("nvidia-cudnn-cu12>=9.16" in chosen.reason) == (90800 <= cudnn < 91600)
    assert choose_precision("cuda", "32-true").name == "32-true"
    assert choose_precision("cuda", "32-true").tf32 == tf32


def test_bf16_that_is_asked_for_is_had_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Card(monkeypatch, bf16=False, cudnn=92600)
    assert choose_precision("cuda", "bf16-mixed").name == "bf16-mixed"  # emulated is slow, and right
    Card(monkeypatch, bf16=True, cudnn=91002)
    with pytest.raises(
        BenchError, match=r"cuDNN 9\.10\.2 .* use 32-true, or install PyTorch 2\.11 or newer, or cuDNN 9\.16 or newer"
    ):
        choose_precision("cuda", "bf16-mixed")


def test_cudnn_says_nothing_of_other_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    Card(monkeypatch, bf16=True, cudnn=91002)
    assert choose_precision("cpu") == choose_precision("cpu", "32-true")
    assert (choose_precision("cpu").name, choose_precision("cpu").tf32) == ("32-true", True)
    assert choose_precision("cpu", "bf16-mixed").name == "bf16-mixed"
    Card(monkeypatch, bf16=True, cudnn=91002, hip="6.2")  # AMD's numbers are not cuDNN's
    assert choose_precision("cuda").name == "bf16-mixed"


def test_training_is_held_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import lightning_fabric

    class Recorded:
        made: ClassVar[list[dict[str, object]]] = []

        def __init__(self, **options: object) -> None:
            self.made.append(options)

        def launch(self) -> None:
            pass

    monkeypatch.setattr(lightning_fabric, "Fabric", Recorded)
    Card(monkeypatch, bf16=False, cudnn=92600)
    make_fabric()
    assert torch.backends.cudnn.allow_tf32
    Card(monkeypatch, bf16=True, cudnn=91501)
    make_fabric()
    assert not torch.backends.cudnn.allow_tf32
    assert [(made["accelerator"], made["precision"]) for made in Recorded.made] == [
        ("cuda", "32-true"),
        ("cuda", "bf16-mixed"),
    ]


def test_the_doctor_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def device() -> str:
        return next(check.detail for check in examine([]) if check.what == "device")

    Card(monkeypatch, bf16=True, cudnn=92600)
    assert device() == "1 × Card: bf16 mixed precision"
    Card(monkeypatch, bf16=False, cudnn=92600)
    assert device() == "1 × Card: float32; the GPU only emulates bf16"
    Card(monkeypatch, bf16=True, cudnn=91002)
    assert device().startswith("1 × Card: float32; cuDNN 9.10.2 computes wrong bf16 3D convolutions")


def test_speed_is_measured_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    halves = []
    monkeypatch.setattr(speed_train, "stage_rows", lambda setting, steps: halves.append(setting.half) or [])
    monkeypatch.setattr(speed_train, "generation_row", lambda setting, repetitions: setting)
    for bf16, cudnn in ((False, 92600), (True, 92600), (True, 91002)):
        Card(monkeypatch, bf16=bf16, cudnn=cudnn)
        (row,) = measure_training(["vgan"], TrainingSpeedOptions(memory=False))
        assert isinstance(row, TrainingSetup)
        assert torch.backends.cudnn.allow_tf32 == (cudnn != 91002)
    assert halves == [False, True, False]
