"""Jobs as a server gets them once a video has arrived."""

from dataclasses import replace

from service.video.decoding.limits import DecoderLimits
from service.video.jobs.asked import Asked
from service.video.jobs.jobs import NewJob, VideoJobs
from service.video.options import VideoOptions
from service.video.segments.reader import probe
from tests.support import videos


def new_job(jobs: VideoJobs, *, frames: int = videos.FRAMES, max_frames: int | None = None) -> NewJob:
    """A video whose header tells of so many frames."""
    upload = videos.write_video(jobs.store.data.new_upload().with_suffix(".mp4"))
    info = replace(probe(upload, DecoderLimits()), frames=frames)
    return NewJob(upload, "0" * 64, info, Asked("red", 1, VideoOptions(max_frames=max_frames), None, None, None, "me"))
