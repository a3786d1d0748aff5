"""C sources as the checks of this folder see them: without comments and literals, with the functions found.

Not a parser: it blanks what could mislead a search, keeps every line where it was, and takes for a function what stands
at the outermost level, has parameters and a body. That is exact for code that clang-format has laid out.
"""

import dataclasses
import pathlib
import re

SUFFIXES = (".c", ".h", ".cc")
TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing wrong at one place; `path` is relative to the project."""
    path: pathlib.PurePath
    line: int
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.message}"


@dataclasses.dataclass(frozen=True)
class Function:
    name: str
    first_line: int
    last_line: int


def sources(root, *folders):
    """Every C and C++ file under the folders of the project, sorted, relative to it."""
    return sorted(path.relative_to(root) for folder in folders for path in (root / folder).rglob("*")
                  if path.suffix in SUFFIXES)


def line_of(text, index):
    return text.count("\n", 0, index) + 1


def _blank(match):
    text = match.group()
    kept = "\"'" if text[0] in "\"'" else ""
    return "".join(c if c == "\n" or c in kept and i in (0, len(text) - 1) else " " for i, c in enumerate(text))


def code(text):
    """The text with the insides of comments and literals replaced by spaces."""
    return TOKEN.sub(_blank, text)


def without_directives(text):
    """The text of code() with preprocessor lines, and what they continue on, replaced by spaces."""
    return DIRECTIVE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def functions(text):
    """The functions with a body in a file's text."""
    plain = without_directives(code(text))
    found, depth, start, open_at, transparent = [], 0, 0, None, 0
    for match in re.finditer(r"[{};]", plain):
        at, what = match.start(), match.group()
        if what == "{":
            before = plain[start:at]
            if depth == 0 and re.search(r'(extern\s+"\s*"|namespace(\s+\w+)?)\s*$', before):
                transparent, start = transparent + 1, match.end()
                continue
            if depth == 0:
                # A body follows the closing parenthesis of the parameters; an initialiser or a type does not.
                open_at = start if re.search(r"\)\s*$", before) and "=" not in before else None
            depth += 1
        elif what == "}":
            if depth == 0:
                transparent, start = transparent - 1, match.end()
                continue
            depth -= 1
            if depth == 0:
                if open_at is not None:
                    head = plain[open_at:plain.index("{", open_at)]
                    name = re.search(r"(\w+)\s*\(", head)
                    first = open_at + len(head) - len(head.lstrip())
                    found.append(Function(name.group(1) if name else "?", line_of(plain, first), line_of(plain, at)))
                start, open_at = match.end(), None
        elif depth == 0:
            start = match.end()
    return found
