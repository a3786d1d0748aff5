"""Makes rule_cel_conformance.jsonl from the conformance suite of the Common Expression Language.

    git clone https://github.com/google/cel-spec
    tests/unit/rule_cel_conformance.py cel-spec > tests/unit/rule_cel_conformance.jsonl

A line is a case: `of` (file/section/name), `expr`, `with` (the names' values) where there are any, and either `value` or
`error`. A value is a list of its type and its content: ["int", 1], ["double", "NaN"], ["bytes", "HEX"], ["list", [...]],
["map", [[key, value], ...]], ["timestamp" or "duration", seconds, nanoseconds], ["type", "int"]. The first line is the
head: where the cases are from, and how many are left out because they need what the language does not have.
"""

import collections
import json
import pathlib
import re
import subprocess
import sys

MESSAGES = "protocol buffer messages and enums"
NEEDS = (
    (r"\boptional\.|\.\?|\[\?|[{,]\s*\?", "optional values"),
    (r"\b(cel|math|base64|strings|proto|ip|cidr|optional)\.\w|\.(format|reverse)\(|\b(ip|cidr|isIP|isCIDR|tuple|sort)\(",
     "functions of extensions"),
    (r"\.transform(List|Map)\(|\.(all|exists|existsOne|exists_one)\(\s*\w+\s*,\s*\w+\s*,", "macros with two variables"),
    (r"\b[A-Z]\w*\s*\{|\bTestAllTypes\b|\bNullValue\b|\bGlobalEnum\b", MESSAGES))
TOKEN = re.compile(r"""\s*(?:\#[^\n]*\s*)*(?:
    (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|
    (?P<word>[-\w.+]+)|
    (?P<type>\[[\w./]+/[\w.]+\])|
    (?P<sign>[][{}:,;<>])|
    (?P<end>$))""", re.VERBOSE)
ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
SIMPLE = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
LITERAL = re.compile(r"""[bBrR]{0,2}("{3}|'{3})(?:\\.|.)*?\1|[bBrR]{0,2}(["'])(?:\\.|.)*?\2|//[^\n]*""", re.DOTALL)


class LeftOut(Exception):
    """A case that needs something which the language does not have; the message says what."""


def unescape(text):
    """The bytes that a string literal of the text format stands for."""
    def one(match):
        hexadecimal, octal, short, long, other = match.groups()
        if short or long:
            return chr(int(short or long, 16)).encode()
        if hexadecimal or octal:
            return bytes([int(hexadecimal or octal, 16 if hexadecimal else 8)])
        return SIMPLE.get(other, other)
    return ESCAPE.sub(one, text[1:-1].encode())


class Reader:
    """The protocol buffer text format, read without a schema: a message is a dictionary of lists."""

    def __init__(self, text):
        self.text = text
        self.at = 0
        self.next()

    def next(self):
        match = TOKEN.match(self.text, self.at)
        if match is None:
            line = self.text.count("\n", 0, self.at) + 1
            raise ValueError(f"line {line}: unexpected {self.text[self.at:self.at + 20]!r}")
        self.at = match.end()
        self.kind, self.token = match.lastgroup, match.group(match.lastgroup)

    def take(self):
        token = self.token
        self.next()
        return token

    def skip(self, signs):
        while self.kind == "sign" and self.token in signs:
            self.next()

    def value(self):
        if self.kind == "sign" and self.token == "{":
            self.next()
            return self.message("}")
        if self.kind == "sign" and self.token == "[":
            self.next()
            items = []
            while self.token != "]":
                items.append(self.value())
                self.skip(",")
            self.next()
            return items
        if self.kind != "text":
            return self.take()
        parts = b""
        while self.kind == "text":
            parts += unescape(self.take())
        return parts

    def message(self, close=""):
        fields = collections.defaultdict(list)
        while not (self.token == close and self.kind in ("sign", "end")):
            name = self.take()
            self.skip(":")
            value = self.value()
            fields[name] += value if isinstance(value, list) else [value]
            self.skip(",;")
        self.next()
        return fields


def first(message, field, default=None):
    return message[field][0] if field in message else default


def any_value(message):
    """A message of a well-known type: only times are values here."""
    (kind, content), = ((name, values[0]) for name, values in message.items())
    name = kind.rstrip("]").rsplit(".", 1)[-1].lower()
    if name not in ("timestamp", "duration") or "google.protobuf" not in kind:
        raise LeftOut(MESSAGES)
    return [name, int(first(content, "seconds", "0")), int(first(content, "nanos", "0"))]


def double(text):
    d = float(text)
    return d if d - d == 0 else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(d)]


def value_of(message):
    """A cel.expr.Value as a list of type and content."""
    (kind, content), = ((name, values[0]) for name, values in message.items())
    if kind == "null_value":
        return ["null", None]
    if kind == "bool_value":
        return ["bool", content == "true"]
    if kind in ("int64_value", "uint64_value"):
        return [kind.removesuffix("64_value"), int(content, 0)]
    if kind == "double_value":
        return ["double", double(content)]
    if kind == "string_value":
        return ["string", content.decode()]
    if kind == "bytes_value":
        return ["bytes", content.hex()]
    if kind == "type_value":
        return ["type", content.decode()]
    if kind == "list_value":
        return ["list", [value_of(item) for item in content["values"]]]
    if kind == "map_value":
        return ["map", [[value_of(entry["key"][0]), value_of(entry["value"][0])] for entry in content["entries"]]]
    if kind == "object_value":
        return any_value(content)
    raise LeftOut(MESSAGES)


def why_left_out(file, test, expr):
    """What the case needs that is not there; None: nothing."""
    if first(test, "check_only") == "true":
        return "types that the checker deduces"
    if first(test, "disable_macros") == "true":
        return "macros taken away"
    if "unknown" in test or "any_unknowns" in test:
        return "unknown values"
    bare = LITERAL.sub(" '' ", expr)
    for pattern, need in NEEDS:
        if re.search(pattern, bare):
            return need
    return "containers of names" if file == "namespace" and "container" in test else None


def case_of(file, section, test):
    expr = first(test, "expr").decode()
    reason = why_left_out(file, test, expr)
    if reason is not None:
        raise LeftOut(reason)
    case = {"of": "/".join((file, first(section, "name").decode(), first(test, "name").decode())), "expr": expr}
    names = {first(each, "key").decode(): value_of(each["value"][0]["value"][0]) for each in test["bindings"]}
    if names:
        case["with"] = names
    if "eval_error" in test or "any_eval_errors" in test:
        case["error"] = True
    elif "typed_result" in test:
        case["value"] = value_of(test["typed_result"][0]["result"][0])
    else:
        case["value"] = value_of(first(test, "value", {"bool_value": ["true"]}))
    return case


def convert(spec):
    cases, left_out = [], collections.Counter()
    for path in sorted((spec / "tests/simple/testdata").glob("*.textproto")):
        for section in Reader(path.read_text()).message()["section"]:
            for test in section["test"]:
                try:
                    cases.append(case_of(path.stem, section, test))
                except LeftOut as reason:
                    left_out[str(reason)] += 1
    return cases, left_out


def main():
    spec = pathlib.Path(sys.argv[1])
    commit = subprocess.run(["git", "-C", spec, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    cases, left_out = convert(spec)
    head = {"copyright": "Copyright Google LLC and the CEL authors", "license": "Apache-2.0", "source": "https://github.com/google/cel-spec",
            "commit": commit.stdout.strip(), "folder": "tests/simple/testdata", "changes": "converted from the text format; what the language does not have is left out",
            "cases": len(cases), "left_out": dict(left_out.most_common())}
    for each in [head, *cases]:
        print(json.dumps(each))
    print(f"{len(cases)} cases", *(f"{n} left out: {why}" for why, n in left_out.most_common()), sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
