"""A whole video: probe and index it, do its segments, put the results together. Knows no queue and no database."""

import hashlib
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from service.loading import LoadedModel
from service.storage.disk import appearing
from service.video.decoding.index import VideoIndex, plan_segments
from service.video.decoding.limits import DecoderLimits
from service.video.decoding.probe import VideoInfo
from service.video.options import EncoderName, VideoOptions
from service.video.results.summary import Summary
from service.video.segments.encoder import choose_encoder
from service.video.segments.reader import probe, survey
from service.video.segments.segment import process_segment
from service.video.segments.shared_reader import SharedReader
from service.video.segments.work import VideoWork

OnProgress = Callable[[int, int], None]
"""Called with frames done and frames in total; may raise to stop."""

_INDEX_FILE, _ENCODER_FILE = "index.npz", "encoder.json"
KEPT_FILES = (_INDEX_FILE, _ENCODER_FILE)
"""What `prepare_work` leaves for those who come later."""
_COPY_BYTES = 1 << 20


def process_file(
    source: Path,
    out_dir: Path,
    model: LoadedModel,
    options: VideoOptions,
    on_progress: OnProgress,
    limits: DecoderLimits = DecoderLimits(),  # noqa: B008  (frozen)
    threads: int = 1,
) -> Summary:
    """Segment a video file and write its results into `out_dir`; raises UndecodableVideo, TooManyPixels.

    `threads` is how many the decoder and the encoder have, each.
    What an earlier, interrupted call with the same arguments finished in `out_dir` is used again.
    """
    folder = out_dir / f"segments-{_fingerprint(source, model, options)}"
    folder.mkdir(parents=True, exist_ok=True)
    work = prepare_work(source, folder, model, options, limits, threads)
    with SharedReader() as reader:
        for segment in plan_segments(work.index, options):
            process_segment(work, segment, partial(_report, on_progress, segment.first, len(work.index)), reader)
    from service.video.results.results import finish, remove_unfinished  # noqa: PLC0415  (slow to import)

    summary = finish(work, out_dir)
    remove_unfinished(out_dir)
    shutil.rmtree(folder)
    return summary


def _report(on_progress: OnProgress, before: int, total: int, done: int) -> None:
    on_progress(before + done, total)


def _fingerprint(source: Path, model: LoadedModel, options: VideoOptions) -> str:
    """Tells apart what makes other segments, so that none left from another call is taken."""
    status = source.stat()
    parts = (str(source.resolve()), status.st_size, status.st_mtime_ns, model.label, options)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def prepare_work(
    source: Path, folder: Path, model: LoadedModel, options: VideoOptions, limits: DecoderLimits, threads: int = 1
) -> VideoWork:
    """Probe and index a video; the index and the encoder's name are kept in `folder` for who comes later.

    Raises UndecodableVideo, TooManyPixels, DecoderKilled, EncoderUnavailable.
    """
    kept = folder / _INDEX_FILE
    if kept.exists():
        info, index = probe(source, limits), VideoIndex.load(kept)
    else:
        info, index = survey(source, limits, options.max_frames)
        index.save(kept)
    encoder = _keep_encoder(folder, info, options)
    return VideoWork(source, folder, info, index, options, model, limits, threads, encoder)


def _keep_encoder(folder: Path, info: VideoInfo, options: VideoOptions) -> EncoderName:
    """The encoder that whoever came first chose; raises EncoderUnavailable where that one does not work."""
    size = info.width + info.width % 2, info.height + info.height % 2
    kept = folder / _ENCODER_FILE
    if not kept.exists():
        chosen = choose_encoder(options.encoder, *size)
        with appearing(kept) as temporary:
            temporary.write_text(json.dumps(chosen))
    return choose_encoder(json.loads(kept.read_text()), *size)
