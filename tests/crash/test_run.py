"""`tests/crash/run` itself: what it says of a wrong outcome, and its usage. The command runs for minutes, and by hand."""

import subprocess

import pytest

import harness
from crash import state, verdict

GOOD = {
    "recommendations": [(("a:1", 1), b"one"), (("b:2", 1), b"other"), (("a:1", 2), b"two")],
    "scorecards": [(("load", "{}", "t"), b"0.5")],
    "dead letters": [(("incident", 0, 7), "late")],
    "state": [(("rows", "-", 0, "6931"), b"open"), (("groups", "a", 1, "00ff"), b"timer")],
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


WALKED, TITLED = b"walkedxx", b"titledxx"
RULES = state.Rules({WALKED: "walked", TITLED: "titled"},
                    {WALKED: state.Window(60_000, 10_000, 2000), TITLED: state.Window(0, 0, 0)})
NOW_MS = 1_000_000


def key(kind, rest, task=1):
    return task.to_bytes(2, "big") + kind + rest


def zigzag(number):
    number, out = number * 2 if number >= 0 else -number * 2 - 1, b""
    while number >= 0x80:
        number, out = number >> 7, out + bytes([number & 0x7F | 0x80])
    return out + bytes([number])


def group(timer_ms, last_ms=900_000, evaluated_ms=980_000, flags=b"\x05"):
    return b"\x04\x01\x02s1" + zigzag(timer_ms) + zigzag(last_ms) + zigzag(evaluated_ms) + flags


ENTRIES = {
    key(b"\0", b"task"): b"position", key(b"r", b"i1"): b"row", key(b"x", b"i1"): b"",
    key(b"g", WALKED + b"group-01"): group(1_002_000), key(b"p", WALKED + b"group-01p"): b"pane",
    key(b"g", TITLED + b"group-02"): group(1_002_000), key(b"R", WALKED + b"group-01"): b"recommended",
    key(b"R", TITLED + b"group-02"): b"hot", key(b"c", WALKED + b"group-01r"): b"contributed",
}


def difference(changes):
    """What the verdict says of a state with these entries changed (None: gone)."""
    def of(entries):
        return {**GOOD, "state": list(state.comparable(entries, RULES, NOW_MS, "titled"))}
    changed = {place: value for place, value in {**ENTRIES, **changes}.items() if value is not None}
    return next(text for name, text in verdict.compare(of(changed), of(ENTRIES))[0] if name == "state")


@pytest.mark.parametrize("place", [each for each in ENTRIES if each[2:3] != b"\0" and ENTRIES[each] != b"hot"])
def test_each_byte_of_the_state_counts(place):
    value = ENTRIES[place]
    left_out = set()  # the last window that was evaluated; the timer of a walked group has the test below
    for part in [zigzag(980_000), zigzag(1_002_000)] if WALKED in place else [zigzag(980_000)]:
        if part in value:
            left_out.update(range(value.index(part), value.index(part) + len(part)))
    for at in sorted(set(range(len(value))) - left_out):
        changed = value[:at] + bytes([value[at] ^ 1]) + value[at + 1:]
        assert difference({place: changed}).endswith("0 lost, 0 duplicated, 0 unexpected, 1 differences"), at
    assert "1 lost" in difference({place: None})
    assert "1 unexpected" in difference({place + b"-": value})


def test_what_the_topics_do_not_determine_is_left_out():
    walked, titled = key(b"g", WALKED + b"group-01"), key(b"g", TITLED + b"group-02")
    same, other = "0 differences", "1 differences"
    assert difference({key(b"\0", b"task"): None}).startswith("8: 0 lost")
    assert difference({key(b"R", TITLED + b"group-02"): b"warm"}).endswith(same)
    assert "1 lost" in difference({key(b"R", TITLED + b"group-02"): None})
    assert difference({walked: group(1_002_000, evaluated_ms=0)}).endswith(same)
    assert difference({walked: group(952_000)}).endswith(same)  # passed without a change
    assert difference({walked: group(1_012_000)}).endswith(other)
    assert difference({titled: group(952_000)}).endswith(other)  # is not walked


def test_usage():
    def run(*arguments):
        done = subprocess.run([harness.SOURCE / "tests/crash/run", *arguments], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    status, text = run("--help")
    assert status == 0 and "--minutes" in text and "--seed" in text
    for wrong in (["--minutes", "0"], ["--minutes", "x"], ["--rate", "-1"], ["--nothing"]):
        status, text = run(*wrong)
        assert status == 2 and "error: " in text
