"""Video files against ffmpeg itself, frame by frame, and against what was put into them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.readers.frames import Trait
from bench.data.readers.video import frames_of, length, read_video
from bench.errors import BenchError
from tests.data.making import (
    HEIGHT,
    WIDTH,
    drifting,
    encode,
    ffmpeg,
    shown_by_ffmpeg,
    with_matrix,
    write_container,
)
from tests.support.small import moving_clip, truncate

pytestmark = pytest.mark.heavy

#: Name of the file, ffmpeg's options, frames a second: codecs, containers, colours and rates.
FRAMES = 40
KINDS = [
    ("h264.mp4", "-c:v libx264 -bf 3 -g 12 -pix_fmt yuv420p", "25"),
    ("h264-lossless-444.mkv", "-c:v libx264 -qp 0 -pix_fmt yuv444p", "10"),
    ("h264-422.mov", "-c:v libx264 -pix_fmt yuv422p", "24000/1001"),
    ("h264-rgb.mp4", "-c:v libx264rgb -crf 0", "10"),
    ("h264-full-range.mp4", "-c:v libx264 -pix_fmt yuvj420p", "10"),
    ("h264-bt709.mp4", "-vf scale=out_color_matrix=bt709 -colorspace bt709 -c:v libx264 -pix_fmt yuv420p", "50"),
    ("h264-open-gop.mp4", "-c:v libx264 -bf 3 -g 12 -sc_threshold 0 -x264-params open-gop=1 -pix_fmt yuv420p", "25"),
    ("h264-fragments.mp4", "-c:v libx264 -pix_fmt yuv420p -g 8 -movflags frag_keyframe+empty_moov", "25"),
    ("h264.ts", "-c:v libx264 -bf 2 -pix_fmt yuv420p", "25"),
    ("h264-interlaced.mp4", "-c:v libx264 -flags +ildct+ilme -pix_fmt yuv420p", "25"),
    ("hevc.mp4", "-c:v libx265 -x265-params log-level=error -pix_fmt yuv420p", "60000/1001"),
    ("hevc-10-bit.mkv", "-c:v libx265 -x265-params log-level=error -pix_fmt yuv420p10le", "10"),
    ("vp8.webm", "-c:v libvpx -b:v 300k -auto-alt-ref 1 -lag-in-frames 16 -pix_fmt yuv420p", "10"),
    ("vp9.webm", "-c:v libvpx-vp9 -b:v 300k -pix_fmt yuv420p", "10"),
    ("av1.mp4", "-c:v libaom-av1 -cpu-used 8 -crf 30 -pix_fmt yuv420p", "10"),
    ("mpeg1.mpg", "-c:v mpeg1video -bf 2 -q:v 2", "25"),
    ("mpeg2.mpeg", "-c:v mpeg2video -bf 2 -q:v 2", "25"),
    ("mpeg2.m2ts", "-c:v mpeg2video -q:v 2", "25"),
    ("mpeg4.avi", "-c:v mpeg4 -bf 2 -q:v 2", "10"),
    ("mpeg4.m4v", "-c:v mpeg4 -q:v 2 -f mp4", "10"),
    ("mpeg4.3gp", "-c:v mpeg4 -q:v 2", "10"),
    ("mjpeg.avi", "-c:v mjpeg -q:v 2", "10"),
    ("prores.mov", "-c:v prores_ks -profile:v 3", "10"),
    ("png.mov", "-c:v png", "10"),
    ("ffv1-rgb.mkv", "-c:v ffv1 -pix_fmt bgr0", "10"),
    ("ffv1-grey.mkv", "-c:v ffv1 -pix_fmt gray", "10"),
    ("ffv1-411.mkv", "-c:v ffv1 -pix_fmt yuv411p", "10"),
    ("wmv.wmv", "-c:v wmv2 -q:v 2", "10"),
    ("flv.flv", "-c:v flv -q:v 2", "10"),
    ("theora.ogv", "-c:v libtheora -q:v 8", "10"),
    ("raw.y4m", "-pix_fmt yuv420p", "10"),
    ("uneven.mp4", "-vf settb=1/1000,setpts=N*90+mod(N\\,3)*40 -vsync 0 -c:v libx264 -bf 2 -pix_fmt yuv420p", "10"),
    ("uneven.mkv", "-vf settb=1/1000,setpts=N*90+mod(N\\,3)*40 -vsync 0 -c:v libx264 -pix_fmt yuv420p", "10"),
]
#: Codecs that say that chroma lies in the centre of its block, or do not say where.
CENTRE = ("vp8", "vp9", "av1", "mpeg1", "mjpeg", "ffv1", "wmv", "flv", "theora", "raw")
#: How one of them is cut without encoding it again.
CUTS = [
    ("h264.mp4", "0.5", "cut.mp4"),
    ("h264.mp4", "0.5", "cut.mov"),
    ("h264.mp4", "0.5", "cut.mkv"),
    ("h264.mp4", "0.5", "cut.ts"),
    ("h264-open-gop.mp4", "0.6", "cut-open-gop.mp4"),
    ("h264-open-gop.mp4", "0.6", "cut-open-gop.mkv"),
    ("h264-open-gop.mp4", "0.6", "cut-no-edit-list.mp4"),
    ("mpeg2.mpeg", "0.4", "cut.mpg"),
    ("mpeg4.avi", "1.5", "cut.avi"),
    ("vp9.webm", "1.0", "cut.webm"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("videos")


def kind(made: Path, name: str) -> Path:
    """One of `KINDS`, made when it is first asked for."""
    _, options, rate = next(entry for entry in KINDS if entry[0] == name)
    return made / name if (made / name).exists() else encode(made / name, drifting(FRAMES), options, rate)


def compared(path: Path, kind: str, figures: dict[str, str]) -> np.ndarray:
    """Read a file, and count the frames that are what ffmpeg shows, bit for bit."""
    chroma = "centre" if kind.startswith(CENTRE) else "left"
    ours, by_ffmpeg = read_video(path), shown_by_ffmpeg(path, chroma=chroma, interlaced="interlaced" in kind)
    same = sum(np.array_equal(a, b) for a, b in zip(ours, by_ffmpeg, strict=False))
    figures[f"decoding {path.name}"] = f"{same} of {len(by_ffmpeg)} frames identical to ffmpeg's"
    assert ours.shape == by_ffmpeg.shape
    assert same == len(by_ffmpeg)
    return ours


@pytest.mark.parametrize("name", [name for name, *_ in KINDS])
def test_every_kind_is_read_as_ffmpeg_shows_it(made: Path, name: str, figures: dict[str, str]) -> None:
    read = compared(kind(made, name), name, figures)
    assert len(read) == length(made / name) == FRAMES
    clip = drifting(FRAMES) if "grey" not in name else (drifting(FRAMES) @ [0.299, 0.587, 0.114])[..., None]
    assert np.abs(read - clip.astype(float)).mean() < 6


@pytest.mark.parametrize(("source", "start", "name"), CUTS, ids=[name for *_, name in CUTS])
def test_what_was_cut_without_encoding_again_is_read_as_ffmpeg_shows_it(
    made: Path, source: str, start: str, name: str, figures: dict[str, str]
) -> None:
    edits = ["-use_editlist", "0"] if "no-edit-list" in name else []
    ffmpeg("-ss", start, "-i", kind(made, source), "-t", "0.8", "-c", "copy", *edits, made / name)
    read = compared(made / name, source, figures)
    traits: set[Trait] = set()
    assert len(list(frames_of(made / name, traits))) == len(read) < FRAMES
    assert (Trait.EDIT_LIST in traits) == (name.endswith((".mp4", ".mov")) and not edits)
    open_gops = ("cut-open-gop.mkv", "cut-no-edit-list.mp4", "cut.mpg", "cut.avi")
    assert (Trait.OPEN_GOP in traits) == (name in open_gops)


@pytest.mark.parametrize(
    ("ending", "degrees", "hflip", "vflip"),
    [
        ("mp4", 90, False, False),
        ("mov", 180, False, False),
        ("mkv", 270, False, False),
        ("mp4", 0, True, False),
        ("mov", 0, False, True),
        ("mkv", 90, True, False),
        ("mp4", 90, False, True),
    ],
)
def test_turned_and_mirrored_videos_are_read_upright(
    made: Path, figures: dict[str, str], ending: str, degrees: int, hflip: bool, vflip: bool
) -> None:
    name = f"turned-{degrees}{'-h' * hflip}{'-v' * vflip}.{ending}"
    path = with_matrix(kind(made, "h264-rgb.mp4"), made / name, degrees, hflip=hflip, vflip=vflip)
    read = compared(path, name, figures)
    turned = np.rot90(drifting(FRAMES), degrees // 90, axes=(1, 2))
    assert (read == turned[:, :: -1 if vflip else 1, :: -1 if hflip else 1]).all()
    traits: set[Trait] = set()
    list(frames_of(path, traits))
    assert traits == {Trait.MIRRORED if hflip or vflip else Trait.ROTATED}


def test_a_telephones_video_is_the_upright_one(tmp_path: Path) -> None:
    """Lies on its side and says so (PyAV-Org/PyAV#570); its chroma is interpolated before it is turned."""
    lying = np.rot90(drifting(), 1, axes=(1, 2))
    stored = encode(tmp_path / "lying.mp4", np.ascontiguousarray(lying), "-c:v libx264 -qp 0 -pix_fmt yuv420p")
    path = with_matrix(stored, tmp_path / "phone.mp4", 270)
    read = read_video(path)
    assert read.shape == (32, HEIGHT, WIDTH, 3)
    assert (read == np.rot90(shown_by_ffmpeg(path, turned=False), 3, axes=(1, 2))).all()
    assert np.abs(read.astype(int) - drifting()).mean() < 2


def test_other_angles_are_refused(tmp_path: Path) -> None:
    write_container(tmp_path / "a.mp4", moving_clip(0))
    path = with_matrix(tmp_path / "a.mp4", tmp_path / "b.mp4", 30)
    with pytest.raises(BenchError, match=r"b\.mp4 has a rotation of .*30°: expected a multiple of 90°"):
        read_video(path)


def test_orientation_in_the_frames_of_a_motion_jpeg_is_followed(tmp_path: Path) -> None:
    """Such frames carry side data that PyAV has no name for."""
    exif = Image.Exif()
    exif[0x112] = 6
    clip = drifting(4)
    for number, frame in enumerate(clip):
        Image.fromarray(frame).save(tmp_path / f"{number}.jpg", quality=95, exif=exif)
    ffmpeg("-framerate", "10", "-i", tmp_path / "%d.jpg", "-c", "copy", tmp_path / "a.mov")
    read = read_video(tmp_path / "a.mov")
    assert read.shape == (4, WIDTH, HEIGHT, 3)
    assert np.abs(read.astype(int) - np.rot90(clip, -1, axes=(1, 2))).mean() < 4


def test_halved_chroma_is_interpolated_and_rounded_without_a_bias(tmp_path: Path) -> None:
    """swscale's quick way gives 38.14 dB and is 1.19 levels too dark (FFMS/ffms2#97)."""
    clip = drifting(32, 64, 64)
    read = read_video(encode(tmp_path / "a.mp4", clip, "-c:v libx264 -qp 0 -pix_fmt yuv420p")).astype(float)
    assert -10 * np.log10((((read - clip) / 255) ** 2).mean()) == pytest.approx(42.71, abs=0.005)
    assert abs((read - clip).mean()) < 0.05
    flat = np.broadcast_to(np.array([[200, 200, 200]], np.uint8), (3, 64, 64, 3))
    grey = read_video(encode(tmp_path / "b.mp4", flat, "-c:v libx264 -qp 0 -pix_fmt yuv420p"))
    assert (grey == 200).all()


ALPHA = "-vf format=rgba,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='if(gt(X,48),255,X*5)'"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("qtrle.mov", "-c:v qtrle -pix_fmt argb"),
        ("png.mov", "-c:v png -pix_fmt rgba"),
        ("ffv1.mkv", "-c:v ffv1 -pix_fmt yuva444p"),
        ("prores.mov", "-c:v prores_ks -profile:v 4444 -pix_fmt yuva444p10le"),
        ("vp9.webm", "-c:v libvpx-vp9 -lossless 1 -pix_fmt yuva420p"),
        ("vp8.webm", "-c:v libvpx -auto-alt-ref 0 -b:v 4M -pix_fmt yuva420p"),
    ],
)
def test_an_alpha_channel_is_laid_on_white(tmp_path: Path, name: str, options: str) -> None:
    clip = drifting(8)
    path = encode(tmp_path / name, clip, f"{ALPHA} {options}")
    alpha = np.where(np.arange(WIDTH) > 48, 1, np.arange(WIDTH) * 5 / 255)[None, None, :, None]
    on_white = clip * alpha + 255 * (1 - alpha)
    read = read_video(path)
    assert np.abs(read - on_white).mean() < 3
    assert np.abs(read[:, :, 2:6] - on_white[:, :, 2:6]).max() < 12  # the clip itself is 100 levels darker there
    traits: set[Trait] = set()
    list(frames_of(path, traits))
    assert traits == {Trait.ALPHA}


def test_what_a_file_says_beside_its_pixels_is_found(made: Path, tmp_path: Path) -> None:
    lossless = "-c:v libx264 -qp 0 -pix_fmt yuv420p"
    oblong = encode(tmp_path / "oblong.mp4", drifting(8), f"{lossless} -aspect 16:9")
    pq = encode(tmp_path / "pq.mp4", drifting(8), f"{lossless} -color_trc smpte2084")
    expected = {
        oblong: {Trait.OBLONG_PIXELS},
        pq: {Trait.HDR},
        kind(made, "h264-interlaced.mp4"): {Trait.INTERLACED},
        kind(made, "h264.mp4"): set(),
        kind(made, "uneven.mkv"): set(),
    }
    for path, traits in expected.items():
        found: set[Trait] = set()
        for _ in frames_of(path, found):
            pass
        assert found == traits, path
    assert (read_video(oblong) == read_video(encode(tmp_path / "a.mp4", drifting(8), lossless))).all()


@pytest.mark.parametrize(
    ("ending", "seconds", "options", "rate"),
    [
        ("mp4", 1, "-c:v libx264 -qp 0 -pix_fmt yuv420p -c:a aac", "10"),
        ("mkv", 9, "-c:v libx264 -qp 0 -pix_fmt yuv420p -c:a aac", "10"),
        ("avi", 1, "-c:v mpeg4 -q:v 2 -c:a mp2", "10"),
        ("mpg", 9, "-c:v mpeg2video -q:v 2 -c:a mp2", "25"),
    ],
)
def test_sound_shorter_or_longer_than_the_pictures_changes_nothing(
    tmp_path: Path, ending: str, seconds: int, options: str, rate: str
) -> None:
    sound = f"-f lavfi -t {seconds} -i sine"
    loud = encode(tmp_path / f"a.{ending}", drifting(), options, rate, sound)
    silent = encode(tmp_path / f"b.{ending}", drifting(), f"{options} -an", rate)
    read = read_video(loud)
    assert len(read) == 32
    assert (read == read_video(silent)).all()


def test_a_cut_with_sound_is_read_as_ffmpeg_shows_it(tmp_path: Path, figures: dict[str, str]) -> None:
    """The sound begins before the pictures that are shown (vllm-project/vllm#48608)."""
    options = "-c:v libx264 -bf 3 -g 24 -sc_threshold 0 -pix_fmt yuv420p -c:a aac"
    whole = encode(tmp_path / "whole.mp4", drifting(96, 64, 64), options, "25", "-f lavfi -t 3.84 -i sine")
    ffmpeg("-ss", "0.5", "-i", whole, "-t", "1.28", "-c", "copy", tmp_path / "cut-with-sound.mp4")
    assert len(compared(tmp_path / "cut-with-sound.mp4", "h264", figures)) == 34


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    Image.fromarray(drifting(1)[0]).save(tmp_path / "cover.png")
    video = encode(tmp_path / "a.mp4", drifting(), "-c:v libx264rgb -crf 0")
    covered, only = tmp_path / "covered.mp4", tmp_path / "only.mp4"
    cover = ("-i", tmp_path / "cover.png", "-c", "copy", "-disposition:v:0", "attached_pic")
    ffmpeg(*cover[:2], "-i", video, "-map", "0", "-map", "1", *cover[2:], covered)
    assert (read_video(covered) == drifting()).all()
    ffmpeg(
        "-f", "lavfi", "-t", "1", "-i", "sine", *cover[:2], "-map", "0", "-map", "1", *cover[2:], "-c:a", "aac", only
    )
    with pytest.raises(BenchError, match=r"only\.mp4 has no video stream"):
        read_video(only)


def test_a_title_that_is_no_utf8_does_not_matter(tmp_path: Path) -> None:
    clip = drifting(8)
    plain = encode(tmp_path / "plain.avi", clip, "-c:v ffv1")
    titled = tmp_path / "titled.avi"
    ffmpeg("-i", plain, "-c", "copy", "-metadata", os.fsdecode(b"title=caf\xe9"), titled)
    assert b"caf\xe9" in titled.read_bytes()
    np.testing.assert_array_equal(read_video(titled), read_video(plain))


def test_a_name_with_a_colon_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_container(tmp_path / "a.mp4", moving_clip(0))
    (tmp_path / "a.mp4").rename(tmp_path / "concat:a.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(read_video("concat:a.mp4")) == 32


@pytest.mark.parametrize("share", [0.6, 0.8, 0.9])
@pytest.mark.parametrize("name", ["h264.mp4", "h264-fragments.mp4", "h264-lossless-444.mkv", "vp9.webm", "mpeg1.mpg"])
def test_a_file_of_other_programs_that_is_cut_short_is_refused(
    made: Path, tmp_path: Path, name: str, share: float
) -> None:
    whole = kind(made, name)
    path = tmp_path / name
    flags = ["-movflags", "faststart"] if name == "h264.mp4" else []
    ffmpeg("-i", whole, "-c", "copy", *flags, path) if flags else path.write_bytes(whole.read_bytes())
    truncate(path, share)
    with pytest.raises(BenchError, match=name.replace(".", r"\.")):
        read_video(path)


def test_a_key_frame_that_is_destroyed_is_damage_and_no_cut(tmp_path: Path) -> None:
    """FFmpeg then shows the video from its next key frame on, without a word."""
    import av

    options = "-c:v libx265 -x265-params log-level=error:keyint=16:scenecut=0 -pix_fmt yuv420p"
    path = encode(tmp_path / "a.mp4", drifting(40), options)
    with av.open(str(path)) as container:
        first = next(packet for packet in container.demux(video=0) if packet.size)
        place, size = first.pos, first.size
    assert place is not None
    content = bytearray(path.read_bytes())
    content[place + 4 : place + size] = bytes(size - 4)
    path.write_bytes(content)
    with pytest.raises(BenchError, match=r"a\.mp4 has 24 of its 40 frames"):
        read_video(path)


def test_frames_whose_size_changes_on_the_way_are_refused(tmp_path: Path) -> None:
    parts = [
        encode(tmp_path / f"{n}.ts", drifting(8, w, h), "-c:v mpeg2video")
        for n, (w, h) in enumerate([(96, 64), (64, 64)])
    ]
    (tmp_path / "a.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(BenchError, match=r"a\.ts differ in size \(64×64, 96×64\)"):
        read_video(tmp_path / "a.ts")


def test_what_needs_no_video_file_needs_no_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "a.npy", moving_clip(0))
    write_container(tmp_path / "a.mp4", moving_clip(0))
    monkeypatch.setitem(sys.modules, "av", None)
    assert (read_video(tmp_path / "a.npy") == moving_clip(0)).all()
    with pytest.raises(BenchError, match=r"a\.mp4 needs the package av, which is not installed"):
        read_video(tmp_path / "a.mp4")
