"""How long a video may be."""

from service.errors import VideoTooLong
from service.settings import Settings
from service.video.decoding.probe import VideoInfo
from service.video.options import VideoOptions


def require_length(info: VideoInfo, options: VideoOptions, settings: Settings) -> None:
    """Raise VideoTooLong for what the file's header says; the worker counts frames and hours."""
    require_hours(info.duration_s or 0, settings)
    require_frames(min(info.frames or 0, options.max_frames or info.frames or 0), settings.max_video_frames)


def require_hours(duration_s: float, settings: Settings) -> None:
    """Raise VideoTooLong."""
    hours = duration_s / 3600
    if hours > settings.max_video_hours:
        raise VideoTooLong(
            f"the video is {hours:.1f} hours long; {settings.max_video_hours:g} are the most (ENDOMASK_MAX_VIDEO_HOURS)"
        )


def require_frames(frames: int, most: int) -> None:
    """Raise VideoTooLong."""
    if frames > most:
        raise VideoTooLong(f"{frames} frames would be read; {most} are the most (ENDOMASK_MAX_VIDEO_FRAMES)")
