"""The I3D network's published tensors in three layouts: the original's, that of JAX, and ours, which is PyTorch's.

DeepMind published a TensorFlow checkpoint (Kinetics-400, RGB), and everything else is a copy of it. Its index keeps a
CRC-32C of every tensor's bytes, so a copy can be told from the original tensor by tensor, without the checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.errors import BenchError
from bench.metrics.networks.i3d import I3D, MIXED
from bench.metrics.networks.safe_unpickler import Tree, by_path
from bench.metrics.numba_compile import compiled

#: Our name of a branch of an Inception block, and the original's.
_BRANCHES = {
    "b0": "Branch_0/Conv3d_0a_1x1",
    "b1a": "Branch_1/Conv3d_0a_1x1",
    "b1b": "Branch_1/Conv3d_0b_3x3",
    "b2a": "Branch_2/Conv3d_0a_1x1",
    "b2b": "Branch_2/Conv3d_0b_3x3",
    "b3b": "Branch_3/Conv3d_0b_1x1",
}
#: Units by our name: three of the stem, then the branches of every block.
UNITS = (
    "Conv3d_1a_7x7",
    "Conv3d_2b_1x1",
    "Conv3d_2c_3x3",
    *(f"{block}.{branch}" for block in MIXED for branch in _BRANCHES),
)


def _layer(unit: str) -> str:
    """The original's name of a unit, or of the logits."""
    block, _, branch = unit.partition(".")
    return "Logits/Conv3d_0c_1x1" if unit == "logits" else f"{block}/{_BRANCHES[branch]}" if branch else block


def _tensor(array: NDArray[Any], shape: torch.Size) -> Tensor:
    if array.dtype.kind != "f" or math.prod(array.shape) != math.prod(shape):
        raise ValueError(f"{array.dtype} {list(array.shape)} where {list(shape)} is due")
    return torch.from_numpy(np.array(array, np.float32).reshape(shape))


def from_jax(tree: Tree) -> dict[str, Tensor]:
    """Our tensors from a checkpoint of JAX: `params` and `batch_stats`, by layer, kernels [T, H, W, C, C'].

    Its batch normalisation has no scale, which is 1. Raises `BenchError` where something is missing or misshapen.
    """
    due = I3D().state_dict()  # of its own, what is the same in every copy: scale 1, and a counter that nobody reads
    arrays = dict(by_path(tree))
    try:
        tensors = {"logits.conv3d.bias": arrays[f"params/{_layer('logits')}/Conv_0/bias"]}
        for unit in (*UNITS, "logits"):
            kernel = arrays[f"params/{_layer(unit)}/Conv_0/kernel"]
            tensors[f"{unit}.conv3d.weight"] = kernel.transpose(4, 3, 0, 1, 2)
        for unit in UNITS:
            tensors[f"{unit}.bn.bias"] = arrays[f"params/{_layer(unit)}/BatchNorm_0/bias"]
            tensors[f"{unit}.bn.running_mean"] = arrays[f"batch_stats/{_layer(unit)}/BatchNorm_0/mean"]
            tensors[f"{unit}.bn.running_var"] = arrays[f"batch_stats/{_layer(unit)}/BatchNorm_0/var"]
        return {name: _tensor(tensors[name], value.shape) if name in tensors else value for name, value in due.items()}
    except (KeyError, ValueError) as error:
        raise BenchError(f"This is no checkpoint of the I3D network as JAX keeps it ({error}).") from error


def _original(tensors: Mapping[str, Tensor], unit: str) -> Iterator[Tensor]:
    """A unit's tensors as the original has them: kernel [T, H, W, C, C'], offset, mean, variance; kernel, bias."""
    yield tensors[f"{unit}.conv3d.weight"].permute(2, 3, 4, 1, 0)
    if unit == "logits":
        yield tensors["logits.conv3d.bias"]
        return
    for name in ("bias", "running_mean", "running_var"):
        yield tensors[f"{unit}.bn.{name}"]


@compiled
def _crc32c(content: NDArray[np.uint8], table: NDArray[np.uint32]) -> Any:
    crc = np.uint32(0xFFFFFFFF)
    for byte in content:
        crc = np.uint32(table[np.uint8(crc) ^ byte] ^ (crc >> np.uint32(8)))
    return np.uint32(crc ^ np.uint32(0xFFFFFFFF))


def _table() -> NDArray[np.uint32]:
    """The cyclic redundancy check of every byte, of Castagnoli's polynomial with its bits turned round."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1).astype(np.uint32)
    return table


def masked_crc32c(content: bytes) -> int:
    """CRC-32C of bytes as TensorFlow's files keep it: turned by 15 bits, a constant added (`lib/hash/crc32c.h`)."""
    crc = int(_crc32c(np.frombuffer(content, np.uint8), _table()))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def strangers(tensors: Mapping[str, Tensor]) -> list[str]:
    """Units with a tensor that is not the original's, by our name; none where all 230 are.

    The network must have no other parameter: the scale of its batch normalisation is 1, or it is a stranger too.
    """
    differing = []
    for unit in (*UNITS, "logits"):
        sums = [
            f"{masked_crc32c(part.contiguous().numpy().astype('<f4').tobytes()):08x}"
            for part in _original(tensors, unit)
        ]
        scale = tensors.get(f"{unit}.bn.weight")
        if sums != CHECKSUMS[unit].split() or (scale is not None and not bool((scale == 1).all())):
            differing.append(unit)
    return differing


#: Masked CRC-32C of the original's tensors, from the index of its checkpoint (TF Hub, `deepmind/i3d-kinetics-400/1`):
#: of a unit its kernel, offset, moving mean and moving variance; of the logits kernel and bias.
CHECKSUMS: Mapping[str, str] = {
    "Conv3d_1a_7x7": "3c1e560e 8504fb7b 759a0279 91b9647f",
    "Conv3d_2b_1x1": "394cbdb4 d358400a 93c5bb1d de23a785",
    "Conv3d_2c_3x3": "0adb50a7 73fbf9a1 64150908 81a04797",
    "Mixed_3b.b0": "5f7f81e6 1b7e1b6c 3baa0f81 4d5a3d87",
    "Mixed_3b.b1a": "658156ba 6c791854 95e45fb4 586e7a9f",
    "Mixed_3b.b1b": "df42f384 be73d979 d64bd6ae e722819c",
    "Mixed_3b.b2a": "0b0a0459 ee9a2f52 165c55be 92aad7b3",
    "Mixed_3b.b2b": "4c005ba2 78084062 028bdd2d c04db500",
    "Mixed_3b.b3b": "c7ecd5c5 563fbbaa 95778a5a f6128287",
    "Mixed_3c.b0": "def2f52d 7e14058e 09819b8d d5b1e891",
    "Mixed_3c.b1a": "60cab42a 07557fb9 59640a35 6be0cafb",
    "Mixed_3c.b1b": "27795fdc b4cd791a 3f6530ef dbd0f948",
    "Mixed_3c.b2a": "2e355b47 9bee8c5a 34ebe4ca 728e4e8f",
    "Mixed_3c.b2b": "22ffd6d8 de6a6294 7506a757 d8201263",
    "Mixed_3c.b3b": "d9e468a6 d125e2b4 79b4b657 50eb8d07",
    "Mixed_4b.b0": "98214755 2ad8c49e 11284819 05ddad9f",
    "Mixed_4b.b1a": "8b00f45e d93f5707 5fff22ae 9be78d24",
    "Mixed_4b.b1b": "b9c49419 c072ea03 308185b5 2eb31576",
    "Mixed_4b.b2a": "b4b2c50b 6f61bf26 d28c675a 01172141",
    "Mixed_4b.b2b": "23ef70eb e84847fd a3fa9f66 96b0d6ba",
    "Mixed_4b.b3b": "1cb760a4 d8fc2218 180cf2d7 e0958aa2",
    "Mixed_4c.b0": "89ea331c 92ae4172 bc7f9790 43c599a4",
    "Mixed_4c.b1a": "2e128967 1dc5d488 4869b9d3 0e43e36b",
    "Mixed_4c.b1b": "593c851f a9efb369 0171fd0e da105ee6",
    "Mixed_4c.b2a": "acd9b035 ddae9b88 aff49dc6 2347bd7f",
    "Mixed_4c.b2b": "65004bb0 74a1283c cf4a1f0a 43781d0e",
    "Mixed_4c.b3b": "b9eaa7f3 f00a3a3e d8a6ae01 69635cb5",
    "Mixed_4d.b0": "8f14527e a367d747 586ea425 87954bdc",
    "Mixed_4d.b1a": "6e5e6fba 84bfeb44 431777ff e99d2909",
    "Mixed_4d.b1b": "017260be 42954b0c 404f0fc2 f3031bc9",
    "Mixed_4d.b2a": "4fdddc5b 1679526d ebcc18c3 20b307b4",
    "Mixed_4d.b2b": "cfb56a06 92019425 749588cc fa1f9788",
    "Mixed_4d.b3b": "67ddf8e2 247bd227 1ecd74d0 ff564e85",
    "Mixed_4e.b0": "ccb60740 78d30cd8 a0567012 93f0d085",
    "Mixed_4e.b1a": "af312fba bb9aec62 43bf7d62 afd479a1",
    "Mixed_4e.b1b": "99c502b5 f67f2a2e aa295e9e 6b853ef9",
    "Mixed_4e.b2a": "c99988a7 9a5609ee 874cc46e 85130cc4",
    "Mixed_4e.b2b": "fb4f4b5f e7985ef9 a85c9338 44504782",
    "Mixed_4e.b3b": "4e2dcdd5 644c0a44 210d8f4c ee3ae784",
    "Mixed_4f.b0": "e19af9e5 ebda0e6d f53a8509 85369ffc",
    "Mixed_4f.b1a": "2aaef01b b0b831e8 0c230776 d8ec4b21",
    "Mixed_4f.b1b": "b6a18fda b74adb89 37fa5883 f2aeb1b0",
    "Mixed_4f.b2a": "04455485 0a99aeda c4321ed3 68ac84e7",
    "Mixed_4f.b2b": "f8cf127e fa418f27 ee47a368 71724b06",
    "Mixed_4f.b3b": "e97c36b9 d4d8da8e ee405092 7a8916b9",
    "Mixed_5b.b0": "9f9f617f f5b7317c 4bbfa99b 309e35b1",
    "Mixed_5b.b1a": "79166b0a aedda781 c3489b87 654deb24",
    "Mixed_5b.b1b": "21be26b7 ebe3c178 37b6c2ff 999b502c",
    "Mixed_5b.b2a": "2d13f46b fbd22693 b60bb824 4cd4379a",
    "Mixed_5b.b2b": "936b6d3c 2cf1bc2f 38d9b3ff f8eb1942",
    "Mixed_5b.b3b": "edb08ab9 fd77d278 c8a07fca 33c90bd6",
    "Mixed_5c.b0": "c2bf4225 36ebbb02 b4c5e625 f5e18902",
    "Mixed_5c.b1a": "ba0dff9c 95957aac b7152a9e 11473e05",
    "Mixed_5c.b1b": "da7e216e 27999c70 4fd9a812 deb14969",
    "Mixed_5c.b2a": "78744765 3b18ab5d 1755ca10 981324ae",
    "Mixed_5c.b2b": "7c94ca53 baf42000 eb6c7473 262986ab",
    "Mixed_5c.b3b": "fe78bf0d b70b7440 75c43193 473a944c",
    "logits": "b0f13614 20c0d2f5",
}
