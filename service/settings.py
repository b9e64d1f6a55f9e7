"""Settings, read from the environment (prefix `ENDOMASK_`) once, at start. docs/settings.md names every one."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

BackendName = Literal["auto", "onnxruntime", "openvino"]
Provider = Literal["auto", "tensorrt", "cuda", "cpu"]
Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]
VideoEncoder = Literal["auto", "libx264", "h264_nvenc", "h264_qsv"]
VideoDecoder = Literal["software", "auto", "cuda"]
LogLevel = Literal["debug", "info", "warning", "error"]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="ENDOMASK_", frozen=True, extra="ignore", use_attribute_docstrings=True, protected_namespaces=()
    )

    # Server
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    log_level: LogLevel = "info"
    """Least severe log line that is written."""
    shutdown_grace_seconds: float = Field(default=20.0, gt=0)
    """How long running requests and the video segment at work may finish after Ctrl-C or SIGTERM."""

    # Models
    models_dir: Path = Path("models")
    """Folder of model packages, `<name>/<version>/`."""
    default_model: str = "instruments"
    """Model that answers when a request names none."""
    backend: BackendName = "auto"
    """Runtime: `auto` measures those that are there and keeps the fastest that gives the golden masks; a named one that
    is missing stops the start."""
    provider: Provider = "auto"
    """Provider: `auto` takes the GPU when it works, with TensorRT if that is there and faster than CUDA, else the CPU;
    a named one that is missing stops the start."""
    precision: Precision = "auto"
    """Precision: `auto` measures those that the package has files for, and `bf16` (the FP32 file in bfloat16) where the
    CPU computes in it; a named one is never replaced."""
    threads: int = Field(default=0, ge=0, le=256)
    """CPU threads that inference uses, and threads that decode and encode frames; 0 takes the cores that the cgroup and
    the affinity allow. A frame that is alone has all of them, or fewer where those are faster; several frames share
    them in lanes. Workers share them too: a video's encoder and decoder have half of one worker's part each, at most 4,
    and as many of its frames are inferred at once, on one thread each, as the part has cores, at most 8."""

    # Frames
    max_frame_megabytes: float = Field(default=25.0, gt=0)
    """Largest encoded frame; refused while it is being read."""
    max_request_megabytes: float = Field(default=200.0, gt=0)
    """Largest multipart request with all its frames, which are held in memory; refused while it is being read."""
    max_frame_megapixels: float = Field(default=50.0, gt=0)
    """Largest frame in pixels; refused from its header, before a pixel is decoded."""
    max_frames_per_request: int = Field(default=64, ge=1)
    """Most `file` parts in one multipart request."""
    max_queued_frames: int = Field(default=64, ge=1)
    """Frames that one model may hold at once, waiting and at work; the next one is answered 503 at once. While frames
    come faster than they are answered, it holds as few as keep an accepted frame's time within five lone ones'."""
    max_batch_frames: int = Field(default=8, ge=1)
    """Largest batch on a GPU. On a CPU frames run one by one."""
    batch_wait_ms: float = Field(default=2.0, ge=0)
    """Longest that a GPU batch may wait for company. It waits only while that answers its frames sooner in the mean."""

    # Videos
    data_dir: Path = Path("data")
    """Folder of uploads, results and the job database."""
    workers: int | None = Field(default=None, ge=0, le=64)
    """Video worker processes that `serve` starts beside the server, each at one segment at a time; one for every four
    cores, at least one, when unset."""
    max_running_videos: int = Field(default=4, ge=1)
    """Videos that are worked on in turns, over all workers; further ones wait for their beginning. The same on all
    machines."""
    worker_niceness: int = Field(default=19, ge=0, le=19)
    """How far a worker at a video stands back from frames for the processor: 19 takes what others leave, 0 an equal
    share."""
    database_url: str | None = None
    """Job database; SQLite inside the data folder when unset, `postgresql://...` otherwise."""
    storage_url: str | None = None
    """Where uploads, work and results of jobs lie: inside the data folder when unset, else `s3://bucket/prefix`, which
    needs the `s3` extra."""
    storage_outage_minutes: float = Field(default=60.0, ge=0)
    """How long a job at work waits for an object store that is away, before it fails."""
    max_upload_gigabytes: float = Field(default=50.0, gt=0)
    """Largest video upload."""
    max_video_hours: float = Field(default=24.0, gt=0)
    """Longest video."""
    max_video_frames: int = Field(default=10_000_000, ge=1)
    """Most frames of a video, or of its part that `max_frames` chooses."""
    max_active_videos: int = Field(default=1000, ge=1)
    """Videos that may be queued or running at once; the next upload is answered 503."""
    max_active_videos_per_caller: int = Field(default=100, ge=1)
    """Of these, those of one caller, with the resumable uploads that have not arrived; the next one is answered 429."""
    max_uploads: int = Field(default=32, ge=1)
    """Uploads that one server reads at once; the next one is answered 503."""
    max_uploads_per_caller: int = Field(default=8, ge=1)
    """Of these, those of one caller; the next one is answered 429."""
    sender_idle_seconds: float = Field(default=60.0, gt=0)
    """Longest silence of a sender in the middle of a body, a frame's or a video's; then it is answered 408."""
    upload_expires_hours: float = Field(default=24.0, gt=0)
    """How long an unfinished resumable upload is kept after its last byte."""
    retention_hours: float | None = Field(default=None, gt=0)
    """How long a video and its results are kept after its job has ended; for ever when unset. An upload's own
    `retention_hours` goes before it."""
    min_free_disk_gigabytes: float = Field(default=1.0, ge=0)
    """Uploads and jobs stop with 507 when less than this would be left on the data folder's disk."""
    segment_seconds: float = Field(default=10.0, gt=0)
    """Length of a video segment, the unit of progress that survives a killed process."""
    decoder_memory_megabytes: int = Field(default=2048, ge=64)
    """Memory that decoding one video may take, in a process of its own; a video that needs more fails."""
    decoder_frame_seconds: float = Field(default=30.0, gt=0)
    """Computing time that one place of a video may take to decode; also, four times as long by the clock."""
    decoder_cpu_seconds: float = Field(default=900.0, gt=0)
    """Computing time that the decoder may take for one segment of a video, or for its index."""
    video_decoder: VideoDecoder = "software"
    """Decoder of the videos that a worker does: `software` in a process that can open no file and no device; `auto`
    takes NVIDIA's where a clip comes out right from a process that can open that device alone, else software; `cuda` is
    never replaced, and without it videos fail. What the GPU can't decode, software does."""
    video_encoder: VideoEncoder = "auto"
    """Encoder of annotated videos: `auto` takes NVIDIA's or Intel's where it encodes, else libx264; a named one is
    never replaced, and without it videos fail. Workers that share a queue need one that all of them have."""
    overlay_opacity: float = Field(default=0.45, ge=0, le=1)
    """How strongly class colours cover the picture in overlays."""
