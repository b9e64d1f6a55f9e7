"""A decoder beside a device: what it can reach is the device, and what it decodes is what software decodes."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from service.errors import DecoderUnavailable, UndecodableVideo
from service.video.decoding.container import decode as decode_packet
from service.video.decoding.hardware import device_nodes
from service.video.decoding.index import Segment
from service.video.decoding.limits import DecoderLimits
from service.video.decoding.process import DECODER_COMMAND
from service.video.options import DecoderName
from service.video.segments.reader import FrameReader, index_video
from tests.support import hostile_decoder, videos
from tests.support.fenced_decoder import GOOD_FRAMES, command
from tests.support.hostile_decoder import needs_fence

LIMITS = DecoderLimits()
SIZE = (videos.HEIGHT, videos.WIDTH)
WHOLE = Segment(0, 0, videos.FRAMES)

Pictures = list[tuple[int, bytes, object]]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return videos.write_video(tmp_path_factory.mktemp("clips") / "clip.mp4")


def decode(
    path: Path, *how: str, limits: DecoderLimits = LIMITS, size: tuple[int, int] = SIZE
) -> tuple[Pictures, list[bool]]:
    """Pictures as `how` decodes them, by default in software, and whether hardware did."""
    pictures, in_hardware = [], []
    chosen = (how, "cuda") if how else ()
    with FrameReader(path, index_video(path, LIMITS), size, limits, 2, *chosen) as reader:
        for number, planes in reader.read(WHOLE):
            pictures.append(
                (number, b"".join(plane.tobytes() for plane in (planes.y, planes.u, planes.v)), planes.colour)
            )
            in_hardware.append(reader.in_hardware)
    return pictures, in_hardware


@needs_fence
@pytest.mark.parametrize(
    ("how", "done"),
    [
        pytest.param(hostile_decoder.command, [], id="software"),
        pytest.param(command, ["device"], id="beside a device"),
    ],
)
def test_nothing_but_its_device_is_within_reach(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: Callable[..., tuple[str, ...]], done: list[str]
) -> None:
    monkeypatch.setenv("ENDOMASK_DATABASE_URL", "postgresql://user:password@host/jobs")
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    victim.chmod(0o600)
    decoder: DecoderName = "cuda" if done else "software"
    reader = FrameReader(clip, index_video(clip, LIMITS), SIZE, LIMITS, 1, how("reaches_far_out", str(victim)), decoder)
    with pytest.raises(UndecodableVideo, match=r"^did .*, knows ") as caught, reader:
        list(reader.read(WHOLE))
    assert str(caught.value).startswith(f"did {done}, ")
    assert "ENDOMASK" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["victim"]
    assert (victim.read_text(), victim.stat().st_mode & 0o777) == ("as it was", 0o600)


@needs_fence
def test_the_device_that_is_to_be_used_can_be_chosen(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with pytest.raises(UndecodableVideo, match=r"knows .*CUDA_VISIBLE_DEVICES"):
        decode(clip, *command("reaches_out"))


@needs_fence
def test_memory_ends_at_the_limit_beside_a_device_too(clip: Path) -> None:
    with pytest.raises(UndecodableVideo) as caught:
        decode(clip, *command("hoards"), limits=DecoderLimits(memory_megabytes=100))
    assert 50 < int(str(caught.value).removesuffix(" MB")) <= 100


@needs_fence
@pytest.mark.parametrize("name", ["h264.mp4", "h264.avi", "h264-10bit.mp4", "hevc.mp4", "hevc-10bit.mkv", "vp9.webm"])
def test_pictures_from_hardware_are_those_from_software_bit_for_bit(tmp_path: Path, name: str) -> None:
    path = videos.write_variant(tmp_path, name)
    pictures, in_hardware = decode(path, *command("works"))
    assert all(in_hardware)
    assert pictures == decode(path)[0]
    assert len(pictures) == videos.FRAMES


@needs_fence
def test_a_rotated_video_of_another_size_is_the_same_from_hardware(tmp_path: Path) -> None:
    path = videos.rotated(tmp_path / "rotated.mp4", 90)
    size = (videos.WIDTH * 2, videos.HEIGHT * 2)
    assert decode(path, *command("works"), size=size)[0] == decode(path, size=size)[0]


@needs_fence
@pytest.mark.parametrize("trick", ["fails_midway", "runs_out_of_memory"])
def test_software_goes_on_where_the_hardware_fails(clip: Path, trick: str) -> None:
    pictures, in_hardware = decode(clip, *command(trick))
    assert in_hardware == [True] * GOOD_FRAMES + [False] * (videos.FRAMES - GOOD_FRAMES)
    assert pictures == decode(clip)[0]


@needs_fence
@pytest.mark.skipif(bool(device_nodes()), reason="this machine has a GPU")
@pytest.mark.parametrize("name", ["h264.mp4", "ffv1.mkv"])
def test_a_device_that_is_gone_or_does_not_know_the_codec_leaves_the_video_to_software(
    tmp_path: Path, name: str
) -> None:
    path = videos.write_variant(tmp_path, name)
    pictures, in_hardware = decode(path, *command("has_no_gpu"))
    assert not any(in_hardware)
    assert pictures == decode(path)[0]
    assert len(pictures) == videos.FRAMES


@needs_fence
@pytest.mark.parametrize(
    ("trick", "reason"),
    [
        ("can_not_be_fenced", "it can't be confined here: "),
        ("starts_a_thread_too_early", "it can't be confined here: a library started a thread"),
        ("does_not_start", "the stand-in has no memory left"),
    ],
)
def test_a_decoder_that_can_not_be_confined_or_started_sees_no_byte_of_the_video(
    clip: Path, trick: str, reason: str
) -> None:
    with pytest.raises(DecoderUnavailable, match=reason):
        decode(clip, *command(trick))


@pytest.mark.parametrize(("is_hwaccel", "kind"), [(True, av.error.ExternalError), (False, None)])
def test_an_error_that_is_not_the_videos_is_told_where_hardware_decodes(
    is_hwaccel: bool, kind: type[Exception] | None
) -> None:
    def fail(error: type[av.error.FFmpegError]) -> SimpleNamespace:
        def decode() -> None:
            raise error(0, "it failed")

        stream = SimpleNamespace(codec_context=SimpleNamespace(is_hwaccel=is_hwaccel))
        return SimpleNamespace(stream=stream, decode=decode)

    assert decode_packet(fail(av.error.InvalidDataError)) is None
    with pytest.raises(kind) if kind else nullcontext():
        assert decode_packet(fail(av.error.ExternalError)) is None


@pytest.mark.skipif(bool(device_nodes()), reason="this machine has a GPU")
def test_the_real_decoder_says_that_no_gpu_is_here(clip: Path) -> None:
    with pytest.raises(DecoderUnavailable, match="no NVIDIA device is here"):
        decode(clip, *DECODER_COMMAND)
