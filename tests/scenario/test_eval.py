"""`forestall eval`: the conformance suite through the program, how values are printed, and what it says when it cannot."""

import base64
import concurrent.futures
import datetime
import json
import subprocess

import pytest

import harness

SUITE = harness.SOURCE / "tests/unit/rule_cel_conformance.jsonl"
ADDITIONS = harness.SOURCE / "tests/unit/rule_cel_additions.jsonl"
STEP = 6  # one case in so many is asked of the program: each is a process; test_rule_cel_conformance.c has them all


class NotJson(Exception):
    """A value that --with cannot give."""


def given(value):
    """What --with holds for a value of the suite."""
    kind, content = value[:2]
    if kind == "double" and not isinstance(content, str):
        return float(content)
    if kind == "list":
        return [given(item) for item in content]
    if kind == "map" and all(key[0] == "string" for key, _ in content):
        return {key[1]: given(item) for key, item in content}
    if kind not in ("null", "bool", "int", "string"):
        raise NotJson(kind)
    return content


def fraction(nanos):
    return f".{nanos:09d}".rstrip("0") if nanos else ""


def printed(value):
    """How a value of the suite is printed, read back as JSON."""
    kind, content = value[:2]
    if kind == "double":
        return content if isinstance(content, str) else float(content)
    if kind == "bytes":
        return base64.b64encode(bytes.fromhex(content)).decode()
    if kind == "list":
        return [printed(item) for item in content]
    if kind == "map":
        return {key[1] if key[0] == "string" else json.dumps(printed(key)): printed(item) for key, item in content}
    if kind == "timestamp":
        time = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=content)
        return f"{time.isoformat()}{fraction(value[2])}Z"
    if kind == "duration":
        nanos = content * 10**9 + value[2]
        return f"{'-' if nanos < 0 else ''}{abs(nanos) // 10**9}{fraction(abs(nanos) % 10**9)}s"
    return content


def same(left, right):
    """Equal, and of one type all the way down: 1, 1.0 and true differ."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return type(left) is type(right) and left == right


def wrong(binary, case):
    """What is wrong about the program's answer; None: nothing, or the case cannot be asked on a command line."""
    arguments = [binary, "eval", case["expr"]]
    try:
        if "with" in case:
            arguments += ["--with", json.dumps({name: given(value) for name, value in case["with"].items()})]
    except NotJson:
        return None
    if "\0" in case["expr"]:
        return None
    done = subprocess.run(arguments, capture_output=True, timeout=60)
    text = done.stdout.decode()
    if "error" in case:
        right = done.returncode == 1 and text.startswith("error: ")
    else:
        right = done.returncode == 0 and same(json.loads(text), printed(case["value"]))
    return None if right else f"{case}\n    {done.returncode} {text}{done.stderr.decode()}"


@pytest.mark.parametrize("path", [SUITE, ADDITIONS])
def test_suite(binary, path):
    cases = [json.loads(line) for line in path.read_text().splitlines()[1::STEP]]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        failures = [failure for failure in pool.map(lambda case: wrong(binary, case), cases) if failure is not None]
    assert len(cases) > 40 and not failures, "\n".join(failures)
