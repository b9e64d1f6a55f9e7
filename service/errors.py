"""Every error that Endomask raises on purpose, each with one stable code and one HTTP status.

    EndomaskError                     500 internal
    ├── CallerError                   4xx: the request can't be answered as it is
    │   ├── EmptyBody                 400 empty_body
    │   ├── MalformedRequest          400 malformed_request
    │   ├── NotFound                  404 not_found
    │   │   ├── UnknownModel          404 unknown_model
    │   │   ├── UnknownVideo          404 unknown_video
    │   │   └── UnknownUpload         404 unknown_upload
    │   ├── MethodNotAllowed          405 method_not_allowed
    │   ├── NotAcceptable             406 not_acceptable
    │   ├── SlowSender                408 slow_sender
    │   ├── Conflict                  409 conflict
    │   │   └── OffsetMismatch        409 offset_mismatch
    │   ├── UploadExpired             410 upload_expired
    │   ├── OtherProtocol             412 other_protocol
    │   ├── TooLarge                  413 too_large
    │   │   ├── TooManyPixels         413 too_many_pixels
    │   │   └── VideoTooLong          413 video_too_long
    │   ├── UnsupportedMediaType      415 unsupported_media_type
    │   ├── RangeNotSatisfiable       416 range_not_satisfiable
    │   ├── InvalidParameter          422 invalid_parameter
    │   ├── UndecodableFrame          422 undecodable_frame
    │   ├── UndecodableVideo          422 undecodable_video
    │   │   ├── DecoderLimit          422 decoder_limit
    │   │   └── DecoderCrashed        422 decoder_crashed
    │   ├── UploadBusy                423 upload_busy
    │   ├── CallerLimit               429 caller_limit: try again after `retry_after_s`
    │   └── ChecksumMismatch          460 checksum_mismatch
    ├── Unavailable                   503: try again after `retry_after_s`
    │   ├── NotReady                  503 not_ready
    │   ├── Overloaded                503 overloaded
    │   ├── DecoderKilled             503 decoder_killed
    │   └── NoSpace                   507 no_space
    ├── InferenceFailed               500 inference_failed
    ├── EncoderUnavailable            500 encoder_unavailable
    ├── DecoderUnavailable            500 decoder_unavailable
    ├── WorkerDied                    500 worker_died
    └── StartError                    stops the start; never an HTTP answer
        ├── PackageError              a model package that does not hold what its manifest says
        ├── ProviderUnavailable       a provider was asked for by name and is not there
        ├── DatabaseUnavailable       the job database can't be used
        ├── StorageUnavailable        the object store can't be used
        └── PortTaken                 another process listens there

A message says what was seen and what is allowed. It is shown to the caller as it stands: no path, no trace.
"""


class EndomaskError(Exception):
    status: int = 500
    code: str = "internal"

    @property
    def headers(self) -> dict[str, str]:
        """What the answer carries besides."""
        return {}


class CallerError(EndomaskError):
    status = 400
    code = "bad_request"


class EmptyBody(CallerError):
    code = "empty_body"


class MalformedRequest(CallerError):
    code = "malformed_request"


class NotFound(CallerError):
    status = 404
    code = "not_found"


class UnknownModel(NotFound):
    code = "unknown_model"


class UnknownVideo(NotFound):
    code = "unknown_video"


class UnknownUpload(NotFound):
    code = "unknown_upload"


class MethodNotAllowed(CallerError):
    status = 405
    code = "method_not_allowed"


class NotAcceptable(CallerError):
    status = 406
    code = "not_acceptable"


class Conflict(CallerError):
    status = 409
    code = "conflict"


class OffsetMismatch(Conflict):
    """A resumable upload goes on at another place than the caller thinks."""

    code = "offset_mismatch"


class SlowSender(CallerError):
    """No byte came for too long. Whatever may still come is not waited for."""

    status = 408
    code = "slow_sender"

    @property
    def headers(self) -> dict[str, str]:
        return {"Connection": "close"}


class UploadExpired(CallerError):
    status = 410
    code = "upload_expired"


class OtherProtocol(CallerError):
    """The caller speaks a version of the tus protocol that is not ours."""

    status = 412
    code = "other_protocol"


class TooLarge(CallerError):
    status = 413
    code = "too_large"


class TooManyPixels(TooLarge):
    code = "too_many_pixels"


class VideoTooLong(TooLarge):
    code = "video_too_long"


class UnsupportedMediaType(CallerError):
    status = 415
    code = "unsupported_media_type"


class RangeNotSatisfiable(CallerError):
    status = 416
    code = "range_not_satisfiable"

    def __init__(self, said: str, size_bytes: int) -> None:
        super().__init__(said)
        self._size_bytes = size_bytes

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Range": f"bytes */{self._size_bytes}"}


class InvalidParameter(CallerError):
    status = 422
    code = "invalid_parameter"


class UndecodableFrame(CallerError):
    status = 422
    code = "undecodable_frame"


class UndecodableVideo(CallerError):
    status = 422
    code = "undecodable_video"


class DecoderLimit(UndecodableVideo):
    """The video costs more memory or computing time than is allowed; it will the next time too."""

    code = "decoder_limit"


class DecoderCrashed(UndecodableVideo):
    """The decoder itself failed on the file, by a fault or a signal that it caused."""

    code = "decoder_crashed"


class UploadBusy(CallerError):
    """Another request is sending to the same upload."""

    status = 423
    code = "upload_busy"


class CallerLimit(CallerError):
    """One caller has as much going on as one may."""

    status = 429
    code = "caller_limit"
    retry_after_s: int = 30

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class ChecksumMismatch(CallerError):
    """What arrived is not what was sent. 460 is the tus protocol's own."""

    status = 460
    code = "checksum_mismatch"


class Unavailable(EndomaskError):
    status = 503
    code = "unavailable"
    retry_after_s: int = 1

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class NotReady(Unavailable):
    code = "not_ready"


class Overloaded(Unavailable):
    code = "overloaded"


class DecoderKilled(Unavailable):
    """The decoder was killed from outside, could not start, or waited in vain: not the file's fault, so try again."""

    code = "decoder_killed"
    retry_after_s = 5


class NoSpace(Unavailable):
    status = 507
    code = "no_space"
    retry_after_s = 60


class InferenceFailed(EndomaskError):
    code = "inference_failed"


class EncoderUnavailable(EndomaskError):
    code = "encoder_unavailable"


class DecoderUnavailable(EndomaskError):
    """The decoder that was asked for by name does not decode here, or can't be confined."""

    code = "decoder_unavailable"


class WorkerDied(EndomaskError):
    code = "worker_died"


class StartError(EndomaskError):
    code = "start_failed"


class PackageError(StartError):
    code = "bad_package"


class ProviderUnavailable(StartError):
    code = "provider_unavailable"


class DatabaseUnavailable(StartError):
    code = "database_unavailable"


class StorageUnavailable(StartError):
    code = "storage_unavailable"


class PortTaken(StartError):
    code = "port_taken"
