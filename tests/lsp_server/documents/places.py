"""Where an editor would say that a character stands: written without any code of ours."""

from lsprotocol import types as t

ENCODINGS = [t.PositionEncodingKind.Utf8, t.PositionEncodingKind.Utf16, t.PositionEncodingKind.Utf32]
CODECS = {
    t.PositionEncodingKind.Utf8: ("utf-8", 1),
    t.PositionEncodingKind.Utf16: ("utf-16-le", 2),
    t.PositionEncodingKind.Utf32: ("utf-32-le", 4),
}


def client_position(text: str, offset: int, encoding: t.PositionEncodingKind) -> t.Position:
    """What an editor sends for a code-point offset: written without any code of ours."""
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    line_start = before.rfind("\n") + 1
    codec, unit_bytes = CODECS[encoding]
    return t.Position(before.count("\n"), len(before[line_start:].encode(codec)) // unit_bytes)


def is_position(text: str, offset: int) -> bool:
    """No editor puts a cursor between a carriage return and its line feed."""
    return text[offset - 1 : offset + 1] != "\r\n" or offset == 0
