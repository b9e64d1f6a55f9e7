"""A whole upload becomes a job: its first frame is decoded, its length judged, and the job queued."""

from pathlib import Path

from service.settings import Settings
from service.video.decoding.lengths import require_length
from service.video.decoding.limits import DecoderLimits
from service.video.jobs.asked import Asked
from service.video.jobs.jobs import NewJob, VideoJobs
from service.video.jobs.records import JobRecord
from service.video.segments.reader import probe


def accept(settings: Settings, jobs: VideoJobs, asked: Asked, upload: Path, sha256: str) -> JobRecord:
    """The job, or the one that the same request made before. The upload stays for the caller to remove. Raises
    UndecodableVideo, TooManyPixels, VideoTooLong, Conflict, CallerLimit, Overloaded, NoSpace, NotReady."""
    info = probe(upload, DecoderLimits.of(settings))
    require_length(info, asked.options, settings)
    new = NewJob(upload, sha256, info, asked)
    return jobs.find_same(new) or jobs.create(new)
