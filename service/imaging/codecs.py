"""Bytes of a frame -> the picture as a person sees it, and pixels -> JPEG.

JPEG goes through simplejpeg (libjpeg-turbo; it alone reports damaged data), PNG and WebP through OpenCV, BMP and TIFF
through Pillow. What "as a person sees it" means here:

- EXIF orientation is applied, in every format that can carry it.
- Transparent pixels show black, as does what lies outside an endoscope's field of view.
- Sixteen bits are scaled to eight over the whole range, not clipped. Samples of 32 bits or floating point have no
  defined white and are refused.
- CMYK is converted without a colour profile; in a JPEG it is taken as inverted, as Adobe writes it and browsers read
  it. Other profiles are ignored: values are sRGB.
- Of an animation or a file of several pages, the first picture.
"""

import io
import warnings
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import BmpImagePlugin, Image, TiffImagePlugin

from service.errors import CallerError, EmptyBody, TooManyPixels, UndecodableFrame, UnsupportedMediaType
from service.imaging import jpeg
from service.imaging.geometry import U8, InputSpec, content_box
from service.imaging.headers import Header, find_format, read_header
from service.imaging.sniff import describe

ALLOWED_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp", "image/tiff")
_ACCEPTED_TYPES = {*ALLOWED_TYPES, "image/jpg", "image/x-ms-bmp", "application/octet-stream", ""}
_WHITE_IS_ZERO, _PHOTOMETRIC = 0, 262
_SIDEWAYS = {5, 6, 7, 8}

# Pillow warns of damaged TIFF tags; what matters becomes our error, and a stranger's file must not fill the log.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")


@dataclass(frozen=True, slots=True)
class Picture:
    """RGB uint8 [h, w, 3], upright, and the `height` and `width` in pixels of the frame it shows, reduced or not."""

    rgb: U8
    height: int
    width: int


def decode(body: bytes, *, content_type: str | None, max_megapixels: float) -> U8:
    """Encoded frame -> RGB uint8 [H, W, 3], upright.

    The bytes decide which format it is; the declared type only has to be one that is allowed. Raises EmptyBody,
    UnsupportedMediaType, TooManyPixels (from the header, before a pixel is decoded) or UndecodableFrame.
    """
    return decode_for(None, body, content_type=content_type, max_megapixels=max_megapixels).rgb


def decode_for(spec: InputSpec | None, body: bytes, *, content_type: str | None, max_megapixels: float) -> Picture:
    """The same for the eyes of a model alone: a JPEG far larger than its input comes at a half, a quarter or an eighth
    of its size. None is for a person, who gets every pixel."""
    kind = _identify(body, content_type)
    header = read_header(kind, body)
    _check_size(header, max_megapixels)
    scale = _choose_scale(spec, header) if kind == "jpeg" and spec is not None else 1
    try:
        stored = _decode_pixels(kind, body, header, scale)
    except (CallerError, MemoryError):
        raise
    except Exception as error:  # decoders raise whatever their parsers stumble over
        raise UndecodableFrame(f"the {kind.upper()} is cut off or damaged") from error
    rgb = _turn_upright(stored, header.orientation)
    return Picture(rgb, *(_upright_size(header) if scale > 1 else rgb.shape[:2]))


def encode_jpeg(rgb: U8, quality: int = 90) -> bytes:
    """RGB uint8 [H, W, 3] -> JPEG, chroma at half resolution."""
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(rgb), quality, "RGB", "420"))


def _choose_scale(spec: InputSpec, header: Header) -> int:
    height, width = _upright_size(header)
    box = content_box(spec, height, width)
    return jpeg.choose_scale((height, width), (box.height, box.width))


def _upright_size(header: Header) -> tuple[int, int]:
    size = header.height, header.width
    return size[::-1] if header.orientation in _SIDEWAYS else size


def _identify(body: bytes, content_type: str | None) -> str:
    allowed = ", ".join(ALLOWED_TYPES)
    if not body:
        raise EmptyBody(f"the body is empty; send one frame as {allowed}")
    declared = (content_type or "").partition(";")[0].strip().lower()
    if declared not in _ACCEPTED_TYPES:
        raise UnsupportedMediaType(f"the content type is {declared[:80]}; allowed are {allowed}")
    kind = find_format(body)
    if kind is None:
        raise UnsupportedMediaType(f"the body looks like {describe(body)}; allowed are {allowed}")
    return kind


def _check_size(header: Header, max_megapixels: float) -> None:
    megapixels = header.width * header.height / 1e6
    if megapixels > max_megapixels:
        raise TooManyPixels(
            f"frame is {header.width}x{header.height} ({megapixels:.6g} MP); "
            f"the limit is {max_megapixels:g} MP (ENDOMASK_MAX_FRAME_MEGAPIXELS)"
        )


def _decode_pixels(kind: str, body: bytes, header: Header, scale: int) -> U8:
    """RGB uint8 [H, W, 3] as stored; BMP and TIFF come upright already."""
    if kind == "jpeg":
        return jpeg.decode(body, header, scale)
    if kind == "bmp":
        return _decode_bmp(body)
    if kind == "tiff":
        return _decode_tiff(body)
    return _decode_opencv(body, header)


def _decode_opencv(body: bytes, header: Header) -> U8:
    pixels = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape[:2] != (header.height, header.width):
        raise UndecodableFrame("the picture is cut off or damaged: not every pixel is there")
    if pixels.dtype == np.uint16:
        pixels = _to_eight_bits(pixels)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8)
    if pixels.shape[2] == 3:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
    return _on_black(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA), np.uint8))


def _decode_bmp(body: bytes) -> U8:
    """Alpha that is zero everywhere is a writer that left the field empty, not an invisible picture."""
    image = BmpImagePlugin.BmpImageFile(io.BytesIO(body))
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        return np.array(image)[..., :3].copy()
    return _from_pillow(image)


def _decode_tiff(body: bytes) -> U8:
    """Pillow turns a TIFF upright by itself."""
    try:
        image = TiffImagePlugin.TiffImageFile(io.BytesIO(body))
    except SyntaxError as error:
        raise UndecodableFrame("the TIFF is damaged, or not of 8 or 16 bits a sample") from error
    if image.mode.startswith("I;16"):
        white_is_zero = image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
        grey = _to_eight_bits(np.asarray(image).astype(np.uint16))
        return np.asarray(cv2.cvtColor(255 - grey if white_is_zero else grey, cv2.COLOR_GRAY2RGB), np.uint8)
    return _from_pillow(image)


def _from_pillow(image: Image.Image) -> U8:
    if image.mode in {"I", "F"}:
        raise UndecodableFrame(f"the {image.format} is not of 8 or 16 bits a sample")
    if image.has_transparency_data:
        return _on_black(np.asarray(image.convert("RGBA")))
    return np.array(image.convert("RGB"))


def _to_eight_bits(pixels: npt.NDArray[Any]) -> U8:
    """uint16 0..65535 -> uint8 0..255, rounded."""
    return np.asarray(cv2.convertScaleAbs(pixels, alpha=1 / 257), np.uint8)


def _on_black(rgba: U8) -> U8:
    alpha = np.ascontiguousarray(rgba[..., 3])
    if cv2.minMaxLoc(alpha)[0] == 255:
        return np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), np.uint8)
    rgb = cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB)
    return np.asarray(cv2.multiply(rgb, cv2.merge([alpha, alpha, alpha]), scale=1 / 255), np.uint8)


def _turn_upright(rgb: U8, orientation: int) -> U8:
    """Undo EXIF orientation 1..8 (CIPA DC-008, tag 0x0112)."""
    if orientation in _SIDEWAYS:
        rgb = np.asarray(cv2.transpose(rgb), np.uint8)
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return rgb if flip is None else np.asarray(cv2.flip(rgb, flip), np.uint8)
