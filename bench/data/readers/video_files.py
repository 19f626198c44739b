"""Video files, decoded by FFmpeg through PyAV: the frames that a player shows, in order, and no others.

- Frames are rotated and mirrored according to the display matrix, in which telephones record how they were held.
- Frames that an edit list hides are decoded, because other frames need them, and left out.
- Conversion to RGB rounds accurately and interpolates chroma bicubically from its position as given in the file.
  (swscale's fast conversion is a level darker and repeats each chroma sample.) It gives the same bits with and
  without SIMD.
- An alpha channel is composited on white, including that of VP8 and VP9, which FFmpeg's own decoders ignore.

PyAV is imported inside functions, because machines that only train do not have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.readers.frames import Frames, Trait, Undeveloped, on_white
from bench.errors import BenchError

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

#: Decoders that support the alpha channel of these codecs.
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
#: Transfer functions of high dynamic range: SMPTE ST 2084 (PQ) and ARIB STD-B67 (HLG), by their numbers in H.273.
_HDR = (16, 18)


def decoded(path: Path, traits: set[Trait]) -> Iterator[Undeveloped]:
    """Yield the frames of a video file in order, one at a time.

    Args:
        path: path of the file.
        traits: set to which the traits found while reading are added; it is complete after the last frame.

    Raises:
        BenchError: the file has no video, is damaged or truncated (known after its last frame), or its frames differ
            in size or have a rotation that is not a multiple of 90°.
    """
    try:
        import av
    except ImportError as error:
        raise BenchError(f"The video {path} needs the package av, which is not installed: pip install av.") from error
    try:
        # "file:", because FFmpeg would interpret the part of a name before a colon as a protocol.
        with av.open(f"file:{path}", options={"err_detect": "explode"}, **_lenient()) as container:
            yield from _shown(container, _stream(container, path), path, traits)
    except (av.error.FFmpegError, OSError) as error:
        raise BenchError(f"The video {path} cannot be decoded ({error}).") from error


@dataclass(frozen=True)
class StreamFormat:
    """Properties of a video file's frames, from its header.

    Attributes:
        lossy: whether the codec may lose information.
        pixels: FFmpeg's name of the pixel format.
        yuv: whether the pixels are stored as luma and chroma.
        alpha: whether the pixels have an alpha channel.
    """

    lossy: bool
    pixels: str
    yuv: bool
    alpha: bool


def stream_format(path: Path) -> StreamFormat | None:
    """Read the format of a file's video from its header; None if that fails (`decoded` then reports why)."""
    try:
        import av
    except ImportError:
        return None
    try:
        with av.open(f"file:{path}", **_lenient()) as container:
            stream = _stream(container, path)
            codec, pixels = stream.codec_context.codec, stream.codec_context.format
            if pixels is None:
                return None
            components = [component.is_alpha for component in pixels.components]
            said = stream.metadata.get("alpha_mode") == "1" and stream.codec_context.name in _WITH_ALPHA
            yuv = not pixels.is_rgb and not pixels.has_palette and len(components) - sum(components) > 1
            return StreamFormat(codec.lossy or not codec.lossless, pixels.name, yuv, said or any(components))
    except (BenchError, OSError, av.error.FFmpegError):
        return None


def _lenient() -> dict[str, Any]:
    """Options that let PyAV open a file whose title is not UTF-8; since version 19, none are needed."""
    import av

    return {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}


def _stream(container: InputContainer, path: Path) -> VideoStream:
    from av.stream import Disposition

    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    stream = next((stream for stream in container.streams.video if not stream.disposition & covers), None)
    if stream is None:
        raise BenchError(f"The file {path} has no video stream.")
    if stream.codec_context is None:
        raise BenchError(f"The video {path} has a codec that FFmpeg does not know: encode it again.")
    return stream


def _decoder(stream: VideoStream) -> VideoCodecContext:
    """Return the stream's decoder; for VP8 and VP9 with alpha, one that supports it.

    It has one thread: files are read in parallel, and a forked process could not end threads that it does not have.
    """
    import av

    decoder = stream.codec_context
    name = _WITH_ALPHA.get(decoder.name)
    if name in av.codecs_available and stream.metadata.get("alpha_mode") == "1":
        made: Any = av.CodecContext.create(name, "r")
        decoder = made
    decoder.thread_count = 1
    return decoder


def _shown(container: InputContainer, stream: VideoStream, path: Path, traits: set[Trait]) -> Iterator[Undeveloped]:
    decoder, develop, tally = _decoder(stream), _FrameConverter(path), _FrameCounts()
    turns: dict[int, np.ndarray] = {}
    if stream.sample_aspect_ratio not in (None, 0, 1):
        traits.add(Trait.OBLONG_PIXELS)
    for packet in container.demux(stream):
        tally.demuxed(packet)
        for frame in decoder.decode(packet):
            # FFmpeg conceals damage with the content of the previous frame.
            if frame.is_corrupt:
                raise BenchError(f"The video {path} is damaged at frame {tally.frames}: copy or encode it again.")
            tally.shown(frame, path)
            # Accessing side data creates a reference cycle, which keeps the picture in memory: do so once per rotation.
            if (rotation := frame.rotation) not in turns:
                turns[rotation] = _display(frame, path, traits)
            if frame.interlaced_frame:
                traits.add(Trait.INTERLACED)
            if frame.color_trc in _HDR:
                traits.add(Trait.HDR)
            if _has_alpha(frame):
                traits.add(Trait.ALPHA)
            yield partial(develop, frame, turns[rotation])
    if tally.hidden:
        traits.add(Trait.EDIT_LIST)
    if tally.lost_at_the_start:
        traits.add(Trait.OPEN_GOP)
    if not tally.frames:
        raise BenchError(f"The video {path} has no frames.")
    if tally.frames < (expected := _expected_frames(container, stream, tally)):
        raise BenchError(
            f"The video {path} has {tally.frames} of its {expected} frames: it is truncated or damaged. Copy or "
            "encode it again."
        )


@dataclass
class _FrameCounts:
    """Counts and times of the frames read from a file so far.

    Attributes:
        frames: number of frames shown.
        hidden: number of packets that the file marks as not to be shown.
        last: time at which the last frame is shown, in seconds.
        step: mean time between frames, in seconds.
    """

    frames: int = 0
    hidden: int = 0
    last: float = 0.0
    _packets: int = 0
    _entry: int | None = None
    _untimed: int = 0
    _early: list[int] = field(default_factory=list)
    _late: int = 0
    _first: int | None = None
    _size: tuple[int, int] = (0, 0)
    _start: float = 0.0

    def demuxed(self, packet: Packet[VideoStream]) -> None:
        if packet.is_discard:
            self.hidden += 1
        elif packet.size:
            if not self._packets and not self.hidden:
                self._entry = packet.pts
            self._packets += 1
            if packet.pts is None:
                self._untimed += 1
            elif self._first is None:
                self._early.append(packet.pts)
            else:
                self._late += packet.pts < self._first

    def shown(self, frame: VideoFrame, path: Path) -> None:
        size = (frame.width, frame.height)
        time = float(frame.pts * (frame.time_base or Fraction(0))) if frame.pts is not None else 0.0
        if not self.frames:
            self._size, self._first, self._start = size, frame.pts, time
        elif size != self._size:
            sizes = ", ".join(f"{width}×{height}" for width, height in sorted({size, self._size}))
            raise BenchError(f"The frames of {path} differ in size ({sizes}): expected one size per clip.")
        self.frames += 1
        self.last = time

    @property
    def lost_at_the_start(self) -> int:
        """Number of packets that belong before the first frame, or have lost their time, and produced no frame.

        The frames to which these packets refer were cut off. Such packets follow the frame at which the file was cut,
        but are shown before it. If the packet at the cut itself produced no frame, the file is damaged, not cut.
        """
        if self._first is None or self._entry not in (None, self._first):
            return 0
        early = sum(time < self._first for time in self._early)
        return early + self._late + max(0, min(self._untimed, self._packets - self.frames))

    @property
    def step(self) -> float:
        return (self.last - self._start) / max(1, self.frames - 1)


def _expected_frames(container: InputContainer, stream: VideoStream, tally: _FrameCounts) -> int:
    """Number of frames that a video file declares, 0 if it declares none.

    MP4 and MOV have an index of all frames. Matroska and WebM only give a duration, and AVI also counts pauses as
    frames. If frames are unevenly spaced in time, neither gives their number. A file whose last frame is at the
    expected time therefore counts as complete.
    """
    if "mp4" in container.format.name:
        return len(stream.index_entries) - tally.hidden - tally.lost_at_the_start
    seconds = 0.0
    if duration := re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", "")):
        seconds = int(duration[1]) * 3600 + int(duration[2]) * 60 + float(duration[3])
    elif container.duration and len(container.streams) == 1:  # with sound, it is the longer stream's
        seconds = container.duration / 1_000_000
    rate = float(stream.average_rate or 0)
    step = max(1 / rate if rate else 0.0, tally.step)
    return max(0, round(seconds * rate) - 1) if tally.last + 1.5 * step < seconds else 0


class _FrameConverter:
    """Converts decoded frames to upright RGB; one instance per file, because setup takes longer than a frame."""

    def __init__(self, path: Path) -> None:
        from av.video.reformatter import Interpolation, VideoReformatter

        self._path = path
        self._reformatter = VideoReformatter()
        self._interpolation = (
            Interpolation.BICUBIC
            | Interpolation.ACCURATE_RND
            | Interpolation.FULL_CHR_H_INT
            | Interpolation.FULL_CHR_H_INP
            | Interpolation.BITEXACT
        )

    def __call__(self, frame: VideoFrame, turn: np.ndarray) -> Frames:
        import av

        alpha = _has_alpha(frame)
        try:
            converted = self._reformatter.reformat(
                frame, format="rgba" if alpha else "rgb24", interpolation=self._interpolation, threads=1
            )
        except av.error.FFmpegError as error:
            raise BenchError(f"The video {self._path} cannot be converted to RGB ({error}).") from error
        pixels = np.asarray(converted.to_ndarray(), np.uint8)
        return _turned(on_white(pixels) if alpha else pixels, turn)


def _has_alpha(frame: VideoFrame) -> bool:
    # A palette's colours may have alpha.
    return frame.format.has_palette or any(component.is_alpha for component in frame.format.components)


#: Display matrix of a frame that is shown as stored.
_UPRIGHT = np.eye(2, dtype=np.int64)


def _display(frame: VideoFrame, path: Path, traits: set[Trait]) -> np.ndarray:
    """Rotation of a frame: the signs of the display matrix's upper left `[2, 2]`.

    A pixel at (x, y) is shown at (x, y)·matrix (ISO/IEC 14496-12, 8.3.3).

    Raises:
        BenchError: the rotation is not a multiple of 90°.
    """
    try:
        data: Any = frame.side_data.get("DISPLAYMATRIX")
        matrix = _UPRIGHT if data is None else np.frombuffer(data, np.int32).reshape(3, 3)[:2, :2].astype(np.int64)
    except ValueError:  # PyAV has no name for other side data of the frame, and then returns none of it
        cos, sin = np.cos(np.radians(frame.rotation)), np.sin(np.radians(frame.rotation))
        matrix = np.rint(np.array([[cos, -sin], [sin, cos]]) * 65536).astype(np.int64)
    if not matrix.any():
        return _UPRIGHT
    # A small deviation from a quarter turn is a rounding error of the program that wrote it.
    signs = np.sign(np.where(np.abs(matrix) > np.abs(matrix).max() / 50, matrix, 0))
    if sorted(np.abs(signs).sum(0)) != [1, 1] or sorted(np.abs(signs).sum(1)) != [1, 1]:
        angle = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
        raise BenchError(f"The video {path} has a rotation of {angle:.0f}°: expected a multiple of 90°.")
    mirrored = signs[0, 0] * signs[1, 1] - signs[0, 1] * signs[1, 0] < 0
    if mirrored:
        traits.add(Trait.MIRRORED)
    elif (signs != _UPRIGHT).any():
        traits.add(Trait.ROTATED)
    return signs


def _turned(pixels: Frames, turn: np.ndarray) -> Frames:
    (a, b), (c, d) = turn
    if a:  # x stays x
        down, right = d, a
    else:  # columns become rows
        pixels, down, right = pixels.transpose(1, 0, 2), b, c
    return np.ascontiguousarray(pixels[::down, ::right])
