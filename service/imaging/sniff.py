"""Names for what is not a frame, so that a refusal can say what was seen."""

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GIF8", "GIF"),
    (0, b"%PDF", "PDF"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypmif1", "HEIF"),
    (4, b"ftyp", "MP4 video"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM video"),
    (8, b"AVI ", "AVI video"),
    (128, b"DICM", "DICOM"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (4, b"jP  \r\n", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL \r\n", "JPEG XL"),
    (0, b"8BPS", "Photoshop"),
    (0, b"II+\0", "BigTIFF"),
    (0, b"MM\0+", "BigTIFF"),
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"\x1f\x8b", "gzip"),
)
_MARKUP: tuple[tuple[bytes, str], ...] = ((b"<svg", "SVG"), (b"<!doctype html", "HTML"), (b"<html", "HTML"))


def describe(body: bytes) -> str:
    """What the bytes look like, in a word or two: `SVG`, `MP4 video`, `text`, `unknown binary data`."""
    for offset, signature, name in _SIGNATURES:
        if body.startswith(signature, offset):
            return name
    start = body[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    lowered = start.lower()
    for tag, name in _MARKUP:
        if tag in lowered:
            return name
    if start.startswith(b"<?xml"):
        return "XML"
    if start[:1] in {b"{", b"["} and _is_text(start):
        return "JSON"
    return "text" if _is_text(body[:1024]) else "unknown binary data"


def _is_text(start: bytes) -> bool:
    """UTF-8 without control characters; a character cut by the excerpt's end does not count."""
    text = start.decode("utf-8", errors="ignore")
    whole = len(text.encode()) >= len(start) - 3
    return whole and all(character.isprintable() or character in "\r\n\t\f" for character in text)
