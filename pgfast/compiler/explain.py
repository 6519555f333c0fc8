"""What numba says of a body that it can't compile, cut down to a place and a reason that its author can use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numba

_LIBRARIES = (Path(numba.__path__[0]).resolve(), Path(__file__).resolve().parent)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NOISE = re.compile(r"^\s*(?:(?:\w+Error: )?Failed in nopython mode pipeline.*|- Resolution failure for .*:)\n", re.M)
_PLACE = re.compile(r'File "(.+?)", line (\d+)|\b(?:at|from) ([/\\]|\w:\\)(.+?) \((\d+)\)$', re.M)
# to numba a method called by another is an overload, and what is wrong with it a footnote to the call
_FOOTNOTE = re.compile(r"No implementation of function Function\(<function _bind_.*?raised a specific error:\n", re.S)

_REASONS = (  # what numba says, what it means
    (r"No implementation of function Function\(<intrinsic exception_match>", "it catches exceptions of some class"),
    (r"No implementation of function Function\(<built-in function getitem>.*?>>> getitem\((.+?), \w+\)\n",
     "{} has entries of different types, so its index must be a constant"),
    (r"No implementation of function .*?>>> (\w+)\((.*?)\)\n", "numba has no {}({})"),
    (r"Untyped global name '(\w+)': Cannot determine Numba type of <(?:class )?'?([^'>]+)'?>",
     "{} is of a type that numba doesn't know, {}"),
    (r"Unknown attribute '(\w+)' of type Module\(<module '([^']+)'.*", "numba has no {1}.{0}"),
    (r"Unknown attribute '(\w+)' of type (.*)", "numba finds no .{} on {}"),
    (r"Can't unify return type from the following types: (.*)", "it returns values of different forms, {}"),
    (r"Cannot unify (.+) and (.+) for '(\w+)[^']*', defined.*", "{2} is of two types, {0} and {1}"),
    (r"The use of a .* type, assigned to variable '(\w+)' in globals.*",
     "{} is a global that can change; make it a tuple or a field"),
)  # fmt: skip

_TYPES = (  # numba's names of types, and those that people use
    (r"Literal\[(\w+)\]\([^()]*\)", r"\1"),
    (r"<iv=[^>]*>|\breflected |\bpgfast_user_\w+\.", ""),
    (r"\bu?int(?:8|16|32|64)\b", "int"),
    (r"\bfloat(?:16|32|64)\b", "float"),
    (r"\bunicode_type\b", "str"),
    (r"\bOptionalType\((\w+)\)", r"\1 or None"),
    (r"\barray\((\w+), (\d)d, [^()]*\)", r"array of \1s"),
    (r"\b(?!UniTuple|Tuple)(\w+)\(\w+ x \d+\)", r"\1"),
    (r"\bKey\([^()]*\)", "the key"),
    (r"\bUniTuple\((\w+) x (\d+)\)", r"(\2 \1s)"),
    (r"\bTuple\(", "("),
)


class Complaint(NamedTuple):
    """Why code can't be compiled."""

    file: Path | None  # where it is in the user's code, if numba says so
    line: int | None
    reason: str


def complaint(error: BaseException) -> Complaint:
    """What an error of numba's says about a user's code."""
    message = _COLOUR.sub("", str(error))
    places = list(_places(message))
    if not places and getattr(error, "loc", None) is not None:
        places = [(Path(error.loc.filename), error.loc.line)]  # type: ignore[attr-defined]
    if not places:
        return Complaint(None, None, _reason(message))
    several = "Return of: " in message  # of equal standing, and in no order
    return Complaint(*(min(places) if several else places[0]), _reason(message))


def _places(message: str) -> Iterator[tuple[Path, int]]:
    """Lines of the user's code that a message speaks of, the innermost first."""
    for named, line, root, rest, at in _PLACE.findall(message):
        path = Path(named or root + rest).resolve()
        if not any(path.is_relative_to(library) for library in _LIBRARIES):
            yield path, int(line or at)


def _reason(message: str) -> str:
    text = _NOISE.sub("", message).lstrip()
    while footnote := _FOOTNOTE.match(text):
        text = _NOISE.sub("", text[footnote.end() :]).lstrip()
    for pattern, meaning in _REASONS:
        found = re.match(pattern, text, re.S if "\\n" in pattern else 0)
        if found:
            return type_in_words(meaning.format(*found.groups()))
    first = text.partition("\n")[0].partition(". ")[0].rstrip(". ")
    return type_in_words(first) or type_in_words(str(message).strip())


def type_in_words(text: str) -> str:
    """Text with numba's types called what people call them."""
    for pattern, word in _TYPES:
        text = re.sub(pattern, word, text)
    return " ".join(text.split())
