"""The files that other tests rely on are what they claim to be: read back by Pillow, OpenCV and ffprobe."""

import io
import json
import shutil
import struct
import subprocess
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.support import images, videos
from tests.support.system_calls import STRACE, kill_at

FFPROBE = shutil.which("ffprobe")
needs_ffprobe = pytest.mark.skipif(FFPROBE is None, reason="ffprobe is not installed (Debian package ffmpeg)")


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def distance(picture: Image.Image, expected: np.ndarray = images.PICTURE) -> float:
    return float(np.mean(np.abs(np.asarray(picture.convert("RGB"), int) - expected)))


def probe(path: Path) -> dict:
    wanted = "stream=codec_name,codec_type,pix_fmt,width,height,nb_read_frames,avg_frame_rate:stream_side_data=rotation"
    wanted += ":format=format_name,duration:frame=pts_time"
    command = [str(FFPROBE), "-v", "error", "-count_frames", "-show_entries", wanted, "-of", "json", str(path)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("kind", images.KINDS)
def test_an_encoded_picture_is_of_its_kind_and_shows_the_picture(kind: str) -> None:
    picture = opened(images.encoded(kind))
    assert (picture.format, picture.size, picture.mode) == (kind.upper(), (160, 96), "RGB")
    assert distance(picture) < 2
    assert images.encoded(kind) == images.encoded(kind)


def test_special_jpegs_are_progressive_and_cmyk() -> None:
    assert opened(images.progressive_jpeg()).info["progressive"] == 1
    cmyk = opened(images.cmyk_jpeg())
    assert cmyk.mode == "CMYK"
    assert cmyk.info["adobe_transform"] == 0
    assert distance(cmyk) < 4


@pytest.mark.parametrize("kind", images.KINDS)
def test_grey_pictures_have_equal_channels(kind: str) -> None:
    picture = opened(images.grey(kind))
    assert picture.mode == ("RGB" if kind == "webp" else "L")
    pixels = np.asarray(picture.convert("RGB"))
    assert np.ptp(pixels.astype(int), axis=2).max() == 0


@pytest.mark.parametrize("kind", ["png", "webp", "tiff"])
def test_alpha_is_kept_as_given(kind: str) -> None:
    picture = opened(images.with_alpha(kind, alpha=100))
    assert picture.mode == "RGBA"
    assert picture.getchannel("A").getextrema() == (100, 100)
    assert distance(picture) < 1


def test_other_png_modes_are_what_they_claim() -> None:
    assert opened(images.grey_with_alpha_png()).mode == "LA"
    assert opened(images.palette_png()).mode == "P"
    assert distance(opened(images.palette_png())) < 1
    assert opened(images.bilevel_png()).mode == "1"


@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bit_pictures_use_the_full_range(kind: str, channels: int) -> None:
    pixels = cv2.imdecode(np.frombuffer(images.sixteen_bit(kind, channels=channels), np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels.dtype == np.uint16
    assert pixels.shape == ((96, 160, 3) if channels == 3 else (96, 160))
    if channels == 3:
        np.testing.assert_array_equal(pixels[..., ::-1], images.PICTURE.astype(np.uint16) * 257)


def test_the_float_tiff_holds_floats() -> None:
    pixels = cv2.imdecode(np.frombuffer(images.float_tiff(), np.uint8), cv2.IMREAD_UNCHANGED)
    assert (pixels.dtype, pixels.shape) == (np.float32, (96, 160, 3))


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_oriented_picture_is_upright_after_its_exif_is_obeyed_and_not_before(kind: str, orientation: int) -> None:
    stored = opened(images.oriented(orientation, kind))
    assert stored.getexif()[0x0112] == orientation
    if kind == "tiff":  # Pillow turns a TIFF itself, as it loads; its tags tell how it lies in the file
        assert (stored.tag_v2[256], stored.tag_v2[257]) == ((96, 160) if orientation >= 5 else (160, 96))
        assert distance(stored) < 2
        return
    assert stored.size == ((96, 160) if orientation >= 5 else (160, 96))
    if 1 < orientation < 5:
        assert distance(stored) > 10
    assert distance(ImageOps.exif_transpose(stored)) < 2


@pytest.mark.parametrize("kind", images.KINDS)
def test_one_pixel_is_one_pixel(kind: str) -> None:
    picture = opened(images.one_pixel(kind))
    assert picture.size == (1, 1)
    assert distance(picture, np.array([[[230, 20, 20]]])) < 8


@pytest.mark.parametrize("kind", images.KINDS)
def test_a_bomb_is_small_and_claims_to_be_giant(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # Pillow would refuse to read even the header
    side = 16000 if kind == "webp" else 30000
    data = images.claiming(kind, side, side)
    assert len(data) < 60_000
    assert opened(data).size == (side, side)


def test_pictures_of_no_size_say_so_in_their_headers() -> None:
    assert struct.unpack(">II", images.claiming("png", 0, 10)[16:24]) == (0, 10)
    data = images.claiming("jpeg", 10, 0)
    assert struct.unpack(">HH", data[data.index(b"\xff\xc0") + 5 :][:4]) == (0, 10)


@pytest.mark.parametrize("kind", images.KINDS)
def test_a_truncated_picture_cannot_be_read_whole(kind: str) -> None:
    with pytest.raises((OSError, SyntaxError, ValueError)):
        opened(images.truncated(images.encoded(kind))).load()


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "tiff", "bmp"])
def test_a_corrupted_picture_keeps_its_length_and_head(kind: str) -> None:
    data, broken = images.encoded(kind), images.corrupted(images.encoded(kind))
    assert len(data) == len(broken)
    assert data != broken
    assert data[:16] == broken[:16]


def test_animations_and_pages_have_two_frames_and_begin_with_the_picture() -> None:
    for data in (images.animated_gif(), images.animated_webp(), images.two_page_tiff()):
        picture = opened(data)
        assert picture.n_frames == 2
        assert distance(picture) < 3


@pytest.mark.parametrize("data", [images.svg(), images.text()])
def test_text_is_no_picture(data: bytes) -> None:
    data.decode("ascii")
    with pytest.raises(OSError, match="cannot identify"):
        opened(data)


def boxes_agree(path: Path, height: int = videos.HEIGHT, width: int = videos.WIDTH) -> list[float]:
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    scores = []
    for index, picture in enumerate(pictures):
        red, truth = (p[..., 0].astype(int) - p[..., 1] > 140 for p in (picture, videos.frame_at(index, height, width)))
        scores.append(np.count_nonzero(red & truth) / np.count_nonzero(red | truth))
    return scores


@needs_ffprobe
@pytest.mark.parametrize("name", videos.VARIANTS)
def test_a_variant_has_its_codec_format_frames_and_pictures(name: str, tmp_path: Path) -> None:
    seen = probe(videos.write_variant(tmp_path, name))
    stream = next(s for s in seen["streams"] if s["codec_type"] == "video")
    codec = {"libx264": "h264", "libx265": "hevc", "libvpx": "vp8", "libvpx-vp9": "vp9"}
    encoder, pixel_format = videos.VARIANTS[name]
    assert stream["codec_name"] == codec.get(encoder, encoder)
    assert stream["pix_fmt"] == pixel_format
    assert (stream["width"], stream["height"], stream["avg_frame_rate"]) == (videos.WIDTH, videos.HEIGHT, "25/1")
    assert int(stream["nb_read_frames"]) == videos.FRAMES
    suffix = {"mp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm", "avi": "avi", "ts": "mpegts"}
    assert suffix[name.rpartition(".")[2]] in seen["format"]["format_name"].split(",")
    assert float(seen["format"]["duration"]) == pytest.approx(0.48)
    assert min(boxes_agree(tmp_path / name)) > 0.85


@needs_ffprobe
def test_an_odd_sized_clip_is_odd(tmp_path: Path) -> None:
    stream = probe(videos.odd_sized(tmp_path / "odd.mp4"))["streams"][0]
    assert (stream["width"], stream["height"]) == (321, 241)
    assert min(boxes_agree(tmp_path / "odd.mp4", 241, 321)) > 0.9


@needs_ffprobe
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_rotated_clip_carries_its_rotation(degrees: int, suffix: str, tmp_path: Path) -> None:
    path = videos.rotated(tmp_path / f"clip.{suffix}", degrees)
    assert probe(path)["streams"][0]["side_data_list"][0]["rotation"] % 360 == degrees
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).rotation % 360 == degrees


@needs_ffprobe
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_clip_of_variable_rate_has_its_irregular_times(suffix: str, tmp_path: Path) -> None:
    times = [float(f["pts_time"]) for f in probe(videos.variable_rate(tmp_path / f"clip.{suffix}"))["frames"]]
    assert times == pytest.approx([ms / 1000 for ms in videos.IRREGULAR_MS])


@needs_ffprobe
def test_sound_comes_with_a_picture_or_alone(tmp_path: Path) -> None:
    both = probe(videos.write_video(tmp_path / "both.mp4", sound=True))["streams"]
    alone = probe(videos.audio_only(tmp_path / "alone.mp4"))["streams"]
    assert [s["codec_type"] for s in both] == ["video", "audio"]
    assert [s["codec_type"] for s in alone] == ["audio"]


@pytest.mark.parametrize("make", [videos.empty, videos.text_as_video, videos.without_frames, videos.truncated])
def test_files_that_are_no_video_cannot_be_opened(make, tmp_path: Path) -> None:
    with pytest.raises(av.error.FFmpegError):
        av.open(str(make(tmp_path / "clip.mp4")))


def decoded_and_refused(path: Path) -> tuple[int, int]:
    decoded = refused = 0
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            try:
                decoded += len(packet.decode())
            except av.error.InvalidDataError:
                refused += 1
    return decoded, refused


def test_a_clip_truncated_behind_its_index_gives_its_first_half(tmp_path: Path) -> None:
    decoded, _ = decoded_and_refused(videos.truncated(tmp_path / "clip.mp4", faststart=True))
    assert 20 <= decoded <= 30


def test_a_damaged_clip_loses_every_tenth_frame(tmp_path: Path) -> None:
    assert decoded_and_refused(videos.damaged(tmp_path / "clip.mp4")) == (45, 5)


def test_playlists_do_lead_to_the_files_they_name_when_nothing_forbids_it(tmp_path: Path) -> None:
    """Proof that the lists are real: an open without restrictions plays the file behind them."""
    videos.write_video(tmp_path / "secret.ts")
    hls = videos.hls_playlist(tmp_path / "hls.m3u8", [str(tmp_path / "secret.ts")])
    concat = videos.concat_playlist(tmp_path / "list.ffconcat", [str(tmp_path / "secret.ts")])
    for path, options in ((hls, {}), (concat, {"safe": "0"})):
        with av.open(str(path), options=options) as container:
            assert next(container.decode(video=0)).width == videos.WIDTH


@pytest.mark.skipif(STRACE is None, reason="strace is not installed (Debian: strace)")
def test_only_a_kill_at_the_call_is_taken_for_one(tmp_path: Path) -> None:
    make = ["mkdir", *(str(tmp_path / name) for name in ("one", "two"))]
    assert kill_at(make, "mkdir", 1)
    assert not (tmp_path / "two").exists()
    shutil.rmtree(tmp_path / "one", ignore_errors=True)
    assert not kill_at(make, "mkdir", 3), "there is no third call"
    with pytest.raises(subprocess.CalledProcessError):
        kill_at(make, "mkdir", 3)  # both are there already
