"""`tests/crash/run` itself: what it says of a wrong outcome, and its usage. The command runs for minutes, and by hand."""

import subprocess

import pytest

import harness
from crash import verdict

GOOD = {
    "recommendations": [(("a:1", 1), b"one"), (("b:2", 1), b"other"), (("a:1", 2), b"two")],
    "scorecards": [(("load", "{}", "t"), b"0.5")],
    "dead letters": [(("incident", 0, 7), "late")],
}


def told(found):
    rows, good = verdict.compare(found, GOOD)
    return "\n".join(f"{name} {text}" for name, text in rows), good


def test_nothing_is_wrong():
    text, good = told(GOOD)
    assert good and "versions 3: 0 lost, 0 duplicated, 0 unexpected, 0 differences" in text


@pytest.mark.parametrize("records, words", [
    (GOOD["recommendations"][:2], ["1 lost", "lost: ('a:1', 2)", "newest versions 2: 1 differences"]),
    ([*GOOD["recommendations"], (("a:1", 1), b"one")], ["1 duplicated", "newest versions 2: 1 differences"]),
    ([*GOOD["recommendations"], (("c:3", 1), b"new")], ["1 unexpected", "newest versions 3: 1 differences"]),
    ([(("a:1", 1), b"One"), *GOOD["recommendations"][1:]], ["1 differences", "differs: ('a:1', 1)"]),
    ([], ["3 lost"]),
])
def test_what_is_wrong_is_told(records, words):
    text, good = told({**GOOD, "recommendations": records})
    assert not good and all(word in text for word in words), text


@pytest.mark.parametrize("kind", GOOD)
def test_an_outcome_without_anything_proves_nothing(kind):
    nothing = {**GOOD, kind: []}
    assert not verdict.compare(nothing, nothing)[1]


def test_usage():
    def run(*arguments):
        done = subprocess.run([harness.SOURCE / "tests/crash/run", *arguments], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    status, text = run("--help")
    assert status == 0 and "--minutes" in text and "--seed" in text
    for wrong in (["--minutes", "0"], ["--minutes", "x"], ["--rate", "-1"], ["--nothing"]):
        status, text = run(*wrong)
        assert status == 2 and "error: " in text
