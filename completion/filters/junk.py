"""Takes out what a model says about code instead of writing it: fences, chat, placeholders, licenses. Filters.

Small models are trained to chat. At the end of a file, or where they have nothing to add, they close a Markdown fence,
explain what they wrote, or leave the work to the reader.

Rules: pure; cuts only. What the user has begun to type is theirs: a comment that says TODO is continued.
"""

import re
from dataclasses import replace

from completion.candidate import Candidate
from completion.code.lines import before_cursor, columns
from completion.types import CompletionRequest
from parsers.languages import BlockStyle, by_id
from parsers.parse import byte_offset
from parsers.scope import CursorKind, cursor_kind

_FENCE = re.compile(r"\s*(?:```|~~~)")
# How answers begin that are not code. In code they would be an error of syntax, which is found too; in plain
# text and in SQL they would not.
_CHAT = re.compile(
    r"\s*(?:here(?:'s| is| are)\b|sure[,!]|certainly[,!]|of course[,!]|this (?:code|function|program|script|class) "
    r"|the (?:above|following|provided) (?:code|function|program)|i'm sorry|as an ai\b|explanation:|note that )",
    re.IGNORECASE,
)
_COMMENT_START = r"\s*(?:#|//|--|/\*+|<!--|;+|%)\s*"
_PLACEHOLDER = re.compile(
    _COMMENT_START + r"(?:(?:todo|fixme)\b\W*(?:$|implement|add|write|fill|complete|finish|replace|your)"
    r"|(?:add |write |put |insert |enter )?your (?:\w+ ){0,2}(?:code|implementation|logic)"
    r"|(?:implement|fill in|complete) (?:\w+ ){0,3}(?:here|this|me|method|function|logic)\b"
    r"|(?:code|implementation|rest of [\w ]+|existing code|other \w+) (?:goes )?(?:here|unchanged)|\.\.\.)",
    re.IGNORECASE,
)
_PASS = re.compile(r"\s*(?:pass|\.\.\.|return|;)\s*;?\s*(?=#|//|--|/\*|$)")
_LICENSE = re.compile(
    r"copyright\b|licen[sc]ed? under|\bspdx-|all rights reserved|\bmit license|permission is hereby granted",
    re.IGNORECASE,
)
_COMMENT_LINE = re.compile(r"\s*(?:#(?!include|define|if|pragma|!)|//|--|/\*|\*|<!--|;|%|\"\"\"|''')")

# A comment's line of this width goes on in the next one, as people wrap them.
_WRAPPED_COLUMNS = 72
# Up to the last full stop that another sentence follows.
_SENTENCES = re.compile(r"(?s).*\w[\w)`'\"]*[.!?](?=\s+\S)")


def chat(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Cut a suggestion at the first line that is a Markdown fence or speaks to the user. Prose is left alone."""
    if by_id(request.snapshot.language).block_style is BlockStyle.NONE:
        return candidate
    if _kind(request) is not CursorKind.CODE:
        return candidate
    lines = candidate.text.split("\n")
    for number, line in enumerate(lines):
        if _FENCE.match(line) or (_CHAT.match(line) and (number > 0 or not _typed(request))):
            return replace(candidate, text="\n".join(lines[:number]).rstrip())
    return candidate


def placeholders(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Cut a suggestion at the first line that only says that something is to be written; and what then says nothing.

    An empty body stays (`pass`, `...`): it is what stubs have.
    """
    if _typed(request) or _kind(request) is not CursorKind.CODE:
        return candidate
    lines = candidate.text.split("\n")
    for number, line in enumerate(lines):
        body = _PASS.match(line)
        if _PLACEHOLDER.match(line[body.end() :] if body and body.group().strip() else line):
            kept = [*lines[:number], line[: body.end()].rstrip()] if body and body.group().strip() else lines[:number]
            return replace(candidate, text="\n".join(kept).rstrip())
    return candidate


def license_header(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Drop a license that a model begins an empty file with: it says whose the code is, and it is not so."""
    if request.snapshot.text[: request.cursor].strip():
        return candidate
    lines = candidate.text.split("\n")
    header = next((number for number, line in enumerate(lines) if not _COMMENT_LINE.match(line)), len(lines))
    return Candidate("") if any(_LICENSE.search(line) for line in lines[:header]) else candidate


def comment_run(candidate: Candidate, request: CompletionRequest) -> Candidate:
    """Of comment lines at the end of a suggestion, which no code follows, keep none; of a lone comment, one line.

    A comment explains what comes; a model that has nothing more to write goes on explaining. A line that goes on
    in the next one ends with a sentence, if one ends in it.
    """
    lines = candidate.text.split("\n")
    n_code = len(lines)
    if not any(_is_comment(line, request) for line in lines):
        return candidate
    while n_code > 0 and (not lines[n_code - 1].strip() or _is_comment(lines[n_code - 1], request)):
        n_code -= 1
    if n_code == 0:
        first = next((line for line in lines if any(map(str.isalnum, line))), "")
        end = candidate.text.find(first) + len(first)
        kept, width = candidate.text[:end], columns(_line_so_far(request) + "x") + len(first.strip())
        goes_on = any(map(str.isalnum, candidate.text[end:])) or width >= _WRAPPED_COLUMNS
        sentences = _SENTENCES.match(kept) if goes_on else None
        return replace(candidate, text=sentences.group() if sentences else kept)
    dropped = any(line.strip() for line in lines[n_code:])
    return replace(candidate, text="\n".join(lines[:n_code])) if dropped else candidate


def _is_comment(line: str, request: CompletionRequest) -> bool:
    marker = by_id(request.snapshot.language).line_comment
    return marker is not None and line.lstrip().startswith(marker)


def _line_so_far(request: CompletionRequest) -> str:
    return before_cursor(request.snapshot.text, request.cursor)


def _typed(request: CompletionRequest) -> str:
    return _line_so_far(request).strip()


def _kind(request: CompletionRequest) -> CursorKind:
    return cursor_kind(request.snapshot.tree, byte_offset(request.snapshot.text, request.cursor))
