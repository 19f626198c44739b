"""Videos of every kind, made as other people's programs make them, and what ffmpeg shows of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WIDTH, HEIGHT = 96, 64
#: The conversion to RGB that `bench.data.readers.video_files` states, in ffmpeg's words.
FLAGS = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"


def drifting(frames: int = 32, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Smooth colours that drift, wider than high and alike in no two corners, uint8 `[T, H, W, 3]`."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    clip = [
        np.stack(
            [
                128 + 100 * np.sin(2 * np.pi * (x / width + t / 40)),
                40 + 170 * y / height,
                128 + 90 * np.cos(2 * np.pi * (y / height * 1.3 - t / 50) + x / width * 2),
            ],
            -1,
        )
        for t in range(frames)
    ]
    return np.clip(clip, 0, 255).round().astype(np.uint8)


def ffmpeg(*arguments: str | Path, stdin: bytes | None = None) -> bytes:
    """Run ffmpeg; a test skips, with the reason, where it or one of its encoders is missing."""
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed (Debian: ffmpeg)")
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    if missing := re.search(rb"Unknown encoder '(.+?)'", done.stderr):
        pytest.skip(f"this ffmpeg has no encoder {missing[1].decode()}")
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def encode(path: Path, clip: np.ndarray, options: str, rate: str = "10", also: str = "") -> Path:
    """Encode a clip with ffmpeg's options; `also` are further inputs."""
    height, width = clip.shape[1:3]
    raw = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -framerate {rate} -i - {also} {options}"
    ffmpeg(*raw.split(), "-threads", "1", path, stdin=clip.tobytes())
    return path


def shown_by_ffmpeg(
    path: Path, pixels: str = "rgb24", *, turned: bool = True, chroma: str = "left", interlaced: bool = False
) -> np.ndarray:
    """All frames of the first video as ffmpeg shows them, uint8 `[T, H, W, C]`, by the conversion that we state.

    ffmpeg before version 7 does not look where a file says that chroma lies ("left" of its block, or "centre"), nor
    whether its lines are those of two fields, so it is told.
    """
    scale = f"scale=in_h_chr_pos={0 if chroma == 'left' else -513}:interl={int(interlaced)}:flags={FLAGS}"
    turn = [] if turned else ["-noautorotate"]
    out = ["-map", "0:v:0", "-vsync", "0", "-vf", f"{scale},format={pixels}", "-f", "image2pipe", "-c:v", "pam", "-"]
    stream = ffmpeg(*turn, "-i", path, *out)
    frames, at = [], 0
    while at < len(stream):
        end = stream.index(b"ENDHDR\n", at) + 7
        head = dict(line.split() for line in stream[at:end].decode().splitlines()[1:-1])
        shape = int(head["HEIGHT"]), int(head["WIDTH"]), int(head["DEPTH"])
        at = end + int(np.prod(shape))
        frames.append(np.frombuffer(stream[end:at], np.uint8).reshape(shape))
    return np.stack(frames)


def with_matrix(source: Path, path: Path, degrees: int, *, hflip: bool = False, vflip: bool = False) -> Path:
    """Copy a video's packets into a file with a display matrix, as a telephone writes it."""
    import av

    with av.open(str(source)) as source_file, av.open(str(path), "w") as taken:
        stream = taken.add_stream_from_template(source_file.streams.video[0])
        stream.set_display_rotation(degrees, hflip=hflip, vflip=vflip)
        for packet in source_file.demux(source_file.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                taken.mux(packet)
    return path


def save_animation(path: Path, clip: np.ndarray, **options: object) -> Path:
    """An animation as Pillow writes it."""
    first, *others = (Image.fromarray(frame) for frame in clip)
    first.save(path, save_all=True, append_images=others, **{"duration": 100, **options})  # type: ignore[arg-type]
    return path


def write_container(path: Path, clip: np.ndarray, uneven: bool = False) -> None:
    """Write a video file as FFmpeg does; its index comes first, so that a cut file can still be opened."""
    import av

    options = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.bit_rate = 4_000_000
        if uneven:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number, image in enumerate(clip):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if uneven:
                frame.pts, frame.time_base = number * 90 + number % 3 * 40, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
