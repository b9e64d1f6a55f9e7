"""Every error that Endomask raises on purpose, each with one stable code and one HTTP status.

    EndomaskError                     500 internal
    ├── CallerError                   4xx: the request can't be answered as it is
    │   ├── EmptyBody                 400 empty_body
    │   ├── MalformedRequest          400 malformed_request
    │   ├── NotFound                  404 not_found
    │   │   ├── UnknownModel          404 unknown_model
    │   │   └── UnknownVideo          404 unknown_video
    │   ├── MethodNotAllowed          405 method_not_allowed
    │   ├── NotAcceptable             406 not_acceptable
    │   ├── Conflict                  409 conflict
    │   ├── TooLarge                  413 too_large
    │   │   └── TooManyPixels         413 too_many_pixels
    │   ├── UnsupportedMediaType      415 unsupported_media_type
    │   ├── RangeNotSatisfiable       416 range_not_satisfiable
    │   ├── InvalidParameter          422 invalid_parameter
    │   ├── UndecodableFrame          422 undecodable_frame
    │   └── UndecodableVideo          422 undecodable_video
    │       ├── DecoderLimit          422 decoder_limit
    │       └── DecoderCrashed        422 decoder_crashed
    ├── Unavailable                   503: try again after `retry_after_s`
    │   ├── NotReady                  503 not_ready
    │   ├── Overloaded                503 overloaded
    │   ├── DecoderKilled             503 decoder_killed
    │   └── NoSpace                   507 no_space
    ├── InferenceFailed               500 inference_failed
    ├── EncoderUnavailable            500 encoder_unavailable
    ├── WorkerDied                    500 worker_died
    └── StartError                    stops the start; never an HTTP answer
        ├── PackageError              a model package that does not hold what its manifest says
        ├── ProviderUnavailable       a provider was asked for by name and is not there
        ├── DatabaseUnavailable       the job database can't be used
        └── PortTaken                 another process listens there

A message says what was seen and what is allowed. It is shown to the caller as it stands: no path, no trace.
"""


class EndomaskError(Exception):
    status: int = 500
    code: str = "internal"


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


class MethodNotAllowed(CallerError):
    status = 405
    code = "method_not_allowed"


class NotAcceptable(CallerError):
    status = 406
    code = "not_acceptable"


class Conflict(CallerError):
    status = 409
    code = "conflict"


class TooLarge(CallerError):
    status = 413
    code = "too_large"


class TooManyPixels(TooLarge):
    code = "too_many_pixels"


class UnsupportedMediaType(CallerError):
    status = 415
    code = "unsupported_media_type"


class RangeNotSatisfiable(CallerError):
    status = 416
    code = "range_not_satisfiable"


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


class Unavailable(EndomaskError):
    status = 503
    code = "unavailable"
    retry_after_s: int = 1


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


class PortTaken(StartError):
    code = "port_taken"
