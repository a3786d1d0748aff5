"""How long files and functions are, what files are called, and calls that have no place here."""

import re

from c_source import Finding, code, functions, line_of, sources, without_directives

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
NAMES_SAYING_NOTHING = {"utils", "util", "common", "misc", "helpers", "helper"}
# They write past their buffer, hide their errors, run a shell or keep hidden state.
BANNED_CALLS = ("strcpy", "strcat", "sprintf", "vsprintf", "gets", "atoi", "atol", "atof", "strtok", "system")
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED_CALLS) + r")\s*\(")
CONDITIONAL = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else)\b", re.MULTILINE)

# Time comes from base/clock.c, so that tests can replace it and a replay cannot see today.
CLOCK = re.compile(r"(?<![\w.>])(clock_gettime|gettimeofday|time|rand|random|srand|drand48)\s*\(")
CLOCK_PLACES = ("stream/base/clock.c", "stream/cli/")


def check(root, *folders):
    """Findings over the C sources of the given folders of the project."""
    found = []
    for path in sources(root, *folders):
        text = (root / path).read_text()
        plain = code(text)
        lines = text.count("\n")
        if lines > FILE_LINES_MAX:
            found.append(Finding(path, FILE_LINES_MAX + 1, f"the file has {lines} lines; {FILE_LINES_MAX} are the most"))
        if path.stem in NAMES_SAYING_NOTHING:
            found.append(Finding(path, 1, f"the name {path.name} says nothing of what is inside"))
        for match in CALL.finditer(without_directives(plain)):
            found.append(Finding(path, line_of(plain, match.start()), f"{match.group(1)} is banned"))
        if path.parts[0] == "stream" and not str(path).startswith(CLOCK_PLACES):
            for match in CLOCK.finditer(plain):
                found.append(Finding(path, line_of(plain, match.start()),
                                     f"{match.group(1)}: time and chance come from base/clock.c or cli/"))
        bodies = functions(text)
        for each in bodies:
            length = each.last_line - each.first_line + 1
            if length > FUNCTION_LINES_MAX:
                found.append(Finding(path, each.first_line,
                                     f"{each.name} has {length} lines; {FUNCTION_LINES_MAX} are the most"))
        for match in CONDITIONAL.finditer(plain):
            line = line_of(plain, match.end())
            if any(each.first_line < line < each.last_line for each in bodies):
                found.append(Finding(path, line, f"#{match.group(1)} inside a function"))
    return found
