"""The commands as a newcomer meets them, without a Kafka of one's own."""

import contextlib
import json
import os
import pty
import re
import subprocess

import fastavro
import pytest

import harness

COMMANDS = ("run", "replay", "check", "test", "explain", "recommendations", "report", "eval", "topics", "demo", "gen")
RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
metadata: {name: small}
rules:
- id: twice
  from: {x: {stream: incident, match: {severity: [sev1, sev2]}}}
  detect: {group_by: [service], window: {size: 7d}, when: count(x) >= 2}
  recommend: {category: architecture, title: "Look at {{ group.service }}", spec: {problem: "{{ count(x) }}", solution: s}}
"""
DAY_MS = 86_400_000


def incidents(count=3):
    return [{"stream": "incident", "event_id": f"e{n}", "incident_id": f"i{n}", "status": "OPEN", "service": "cart",
             "occurred_at": 1_704_067_200_000 + n * DAY_MS, "severity": "SEV2", "title": f"Incident {n}"} for n in range(count)]


@pytest.fixture
def small(tmp_path):
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "forestall.yaml").write_text("rules: [rules.yaml]\n")
    return tmp_path


def test_what_a_replay_counts(forestall_does, small):
    """Detections of rules that recommend nothing too, and from --from on."""
    (small / "rules.yaml").write_text(RULES.split("  recommend:")[0])
    (small / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in incidents(4)))
    said = forestall_does("replay", "--file", "events.jsonl").stderr
    assert "0 recommendations, 0 versions, 1 detections, 3 firings; 0 late, 0 dead letters" in said
    said = forestall_does("replay", "--file", "events.jsonl", "--from", "2024-01-03T00:00:00Z").stderr
    assert "0 recommendations, 0 versions, 0 detections, 2 firings" in said


@pytest.mark.parametrize("late, letters", [("dead_letter", 4), ("drop", 1)])
def test_a_replay_counts_its_dead_letters(forestall_does, small, late, letters):
    config = small / "forestall.yaml"
    config.write_text(config.read_text() + f"time: {{late: {late}}}\n")
    events = [*incidents(4), *incidents(3), {**incidents(1)[0], "severity": "SEV9"}]
    (small / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))
    said = forestall_does("replay", "--file", "events.jsonl", "--dead-letter", "letters").stderr
    assert f"; 3 late, {letters} dead letters\n" in said
    assert len((small / "letters").read_text().splitlines()) == letters
    assert f"{letters} dead letters\n" in forestall_does("replay", "--file", "events.jsonl").stderr


def test_the_exchange_over_kafka(forestall_does, small):
    """Whoever runs by himself takes the local exchange, whatever the configuration says."""
    config = small / "forestall.yaml"
    config.write_text(config.read_text() + "exchange: kafka\nworkers: 2\nstate: {standby_replicas: 1}\n")
    (small / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in incidents()))
    assert "no errors" in forestall_does("check").stdout
    assert "1 recommendations" in forestall_does("replay", "--file", "events.jsonl").stderr


def test_help_and_usage(forestall_does):
    assert "forestall 0." in forestall_does("--version").stdout
    listed = forestall_does("--help").stdout
    for command in COMMANDS:
        assert command in listed
        assert forestall_does(command, "--help").stdout.startswith(f"usage: forestall {command}")
        if command != "eval":  # whose argument may begin with a minus
            assert "usage: forestall" in forestall_does(command, "--no-such-option", status=2).stderr
    for wrong, said in [(["list", "--ouput", "json"], "no such option '--ouput'; did you mean '--output'?"), ([], "say create or list"),
                        (["show"], "say create or list, not show"), (["list", "--output", "xml"], "--output is table or json, not 'xml'"),
                        (["create", "--partitions", "0"], "--partitions is a number from 1 to 10000, not '0'")]:
        assert said in forestall_does("topics", *wrong, status=2).stderr
    assert "no command 'reprot'; did you mean 'report'?" in forestall_does("reprot", status=2).stderr
    assert "no command 'runn'" in forestall_does("runn", status=2).stderr
    forestall_does(status=2)


@pytest.mark.parametrize("expression, given, printed", [
    ("1 + 2 * 3", None, "7"), ("3.0", None, "3.0"), ("1.0 / 0.0", None, '"Infinity"'), ("b'abc'", None, '"YWJj"'),
    ("duration('1h30m')", None, "5400s"), ("timestamp('2024-01-01T00:00:00Z')", None, "2024-01-01T00:00:00Z"),
    ("event.value > 80.0", {"event": {"value": 91.5}}, "true"), ("-1", None, "-1"),
    ("[1, 2].map(x, x * n)", {"n": 3}, "[3, 6]"), ("fingerprint('took 12 ms') == fingerprint('took 7 ms')", None, "true")])
def test_eval(forestall_does, expression, given, printed):
    options = [] if given is None else ["--with", json.dumps(given)]
    answer = forestall_does("eval", expression, *options).stdout.strip()
    assert answer == printed or answer == json.dumps(printed)


@pytest.mark.parametrize("expression", ["1 / 0", "1 +", "nothing", "9223372036854775807 + 1", "'a' + 1"])
def test_eval_errors(forestall_does, expression):
    assert forestall_does("eval", expression, status=1).stdout.startswith("error: ")


def test_eval_tells_the_place(forestall_does):
    done = forestall_does("eval", "1 +\n  2 * nothing", status=1)
    assert done.stdout == "error: 2:7: unknown name nothing\n"
    assert done.stderr == "    2 * nothing\n        ^\n"
    lines = forestall_does("eval", "'é' == 'é' && " * 20 + "x" + " && true" * 20, status=1).stderr.splitlines()
    assert lines[0][lines[1].index("^")] == "x" and max(map(len, lines)) < 170
    done = forestall_does("eval", "a", "--with", '{"a": 1,\n "b": nul}', status=2)
    assert done.stderr.startswith("error: --with: 2:7: this is no value")
    assert "an object is wanted" in forestall_does("eval", "a", "--with", "[1]", status=2).stderr


@pytest.mark.parametrize("arguments, wrong", [
    ([], "an expression is missing"), (["1", "2"], "one expression is evaluated"), (["1", "--with"], "--with takes")])
def test_eval_usage(forestall_does, arguments, wrong):
    text = forestall_does("eval", *arguments, status=2).stderr
    assert text.startswith(f"error: {wrong}") and "usage: forestall eval" in text


def test_check_names_the_place(forestall_does, small):
    assert "no errors" in forestall_does("check", "rules.yaml", "forestall.yaml").stdout
    (small / "bad.yaml").write_text(RULES.replace("group_by", "gruop_by").replace("count(x)", "cuont(x)"))
    text = forestall_does("check", "bad.yaml", status=1)
    text = text.stdout + text.stderr
    assert "bad.yaml:8:12: error:" in text and "group_by" in text and "^" in text
    assert "did you mean 'count'" in text and "3 errors" in text


def test_replay_of_lines_and_containers(forestall_does, small):
    events = incidents()
    (small / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    lines = forestall_does("replay", "--file", "events.jsonl")
    versions = [json.loads(line) for line in lines.stdout.splitlines()]
    assert [version["occurrences"] for version in versions] == [2, 3] and versions[0]["title"] == "Look at cart"
    assert "1 recommendations" in lines.stderr
    bare = [{key: value for key, value in event.items() if key != "stream"} for event in events]
    for codec in ("null", "deflate"):
        with open(small / f"{codec}.avro", "wb") as file:
            fastavro.writer(file, harness.avro_schema("incident"), bare, codec=codec)
        assert forestall_does("replay", "--file", f"{codec}.avro").stdout == lines.stdout
    (small / "bare.jsonl").write_text("".join(json.dumps(event) + "\n" for event in bare) + "not json\n")
    forestall_does("replay", "--file", "incident=bare.jsonl", "--dead-letter", "dead.jsonl", "--out", "out.jsonl")
    assert (small / "out.jsonl").read_text() == lines.stdout
    dead = json.loads((small / "dead.jsonl").read_text())
    assert dead["value"] == "not json" and dead["forestall.topic"] == "incident" and dead["forestall.offset"] == "4"


def test_replay_between_times(forestall_does, small):
    (small / "rules.yaml").write_text(RULES.replace("category:", "cooldown: 0s, category:"))
    (small / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in incidents(6)))
    everything = forestall_does("replay", "--file", "events.jsonl").stdout.splitlines()
    part = forestall_does("replay", "--file", "events.jsonl", "--from", "2024-01-04T00:00:00Z", "--to", "2024-01-05T00:00:00Z")
    assert part.stdout.splitlines() == everything[2:4] and len(everything) == 5
    assert "2024-13-01" in forestall_does("replay", "--file", "events.jsonl", "--to", "2024-13-01", status=2).stderr


def test_replay_against_what_is_live(forestall_does, small):
    (small / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in incidents(4)))
    (small / "rules.yaml").write_text(RULES + RULES.split("rules:\n")[1].replace("twice", "once").replace(">= 2", ">= 1"))
    forestall_does("replay", "--file", "events.jsonl", "--out", "live.jsonl")
    against = ("replay", "--file", "events.jsonl", "--against", "live.jsonl")
    assert forestall_does(*against).stdout == "0 new, 0 gone, 0 changed, 2 the same\n"
    # Later versions, their times and feedback are no difference.
    seen = [json.loads(line) for line in (small / "live.jsonl").read_text().splitlines()]
    for version in seen:
        version.update(version=version["version"] + 7, life_version=9, status="dismissed", event_time="2025-01-01T00:00:00.000Z")
    (small / "live.jsonl").write_text("".join(json.dumps(version) + "\n" for version in seen))
    assert forestall_does(*against).stdout == "0 new, 0 gone, 0 changed, 2 the same\n"
    for version in seen:
        version.update(title="", first_seen="2023-12-31T00:00:00.000Z", mttr=1_500_000, values=version["values"] | {"eta": 3_600_000})
    (small / "live.jsonl").write_text("".join(json.dumps(version) + "\n" for version in seen))
    edited = (small / "rules.yaml").read_text().replace("id: once", "id: single").replace(">= 2", ">= 3").replace(
        "Look at", "Look into", 1)
    (small / "rules.yaml").write_text(edited)
    shown = forestall_does(*against, status=1).stdout
    assert "+ new      P3 32 medium  Look at cart\n    single:" in shown and "- gone     P3 32 medium  \n    once:" in shown
    assert "~ changed  P3 32 medium  Look into cart\n    twice:" in shown
    assert "    title                  (empty) → Look into cart\n    firings                3 → 2\n" in shown
    assert "    first_seen             2023-12-31T00:00:00.000Z → 2024-01-01T00:00:00.000Z\n" in shown
    assert "    mttr                   25m → none\n" in shown and "    values.eta             1h → none\n" in shown
    assert shown.endswith("\n1 new, 1 gone, 1 changed, 0 the same\n") and "version" not in shown
    found = json.loads(forestall_does(*against, "--output", "json", status=1).stdout)
    assert [len(found[key]) for key in ("new", "gone", "changed")] == [1, 1, 1] and found["same"] == 0
    assert found["changed"][0]["fields"] == [{"name": "title", "old": "", "new": "Look into cart"},
                                             {"name": "firings", "old": 3, "new": 2},
                                             {"name": "first_seen", "old": "2023-12-31T00:00:00.000Z",
                                              "new": "2024-01-01T00:00:00.000Z"},
                                             {"name": "mttr", "old": 1_500_000, "new": None},
                                             {"name": "values.eta", "old": 3_600_000, "new": None}]
    assert "nowhere.jsonl" in forestall_does("replay", "--file", "events.jsonl", "--against", "nowhere.jsonl", status=2).stderr
    assert "bootstrap.servers" in forestall_does("replay", "--file", "events.jsonl", "--diff", status=2).stderr
    for wrong in (["--output", "json"], ["--diff", "--out", "-"], ["--diff", "--output", "yaml"]):
        assert "error: --" in forestall_does("replay", "--file", "events.jsonl", *wrong, status=2).stderr


def newest(lines):
    return {version["recommendation_id"]: version for version in map(json.loads, lines.splitlines())}


def test_progress_on_a_terminal(binary, small):
    """The bar tells how far it is, the time of the events reached and the rate; it is gone at the end."""
    [event] = incidents(1)
    events = [event | {"incident_id": f"i{n}", "severity": "SEV5", "occurred_at": event["occurred_at"] + n * 60_000} for n in range(100000)]
    (small / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    keeper, terminal = pty.openpty()
    replay = subprocess.Popen([binary, "replay", "--file", "events.jsonl", "--out", "out.jsonl"], cwd=small, stderr=terminal)
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # as Linux says that nobody writes any more
        while part := os.read(keeper, 65536):
            shown += part
    os.close(keeper)
    assert replay.wait(60) == 0
    assert re.search(rb"\rreplay \[#*\.*\] +\d+ %  20\d\d-\d\d-\d\dT\d\d:\d\d  \d+/s", shown), shown
    assert re.search(rb"\r\x1b\[K100000 records in ", shown)


def test_the_demo(forestall_does, tmp_path):
    shown = forestall_does("demo", "--files", "boutique", timeout=300).stdout
    table, outcome = shown.split("What became of what was implemented")
    assert "P0" in table and "Undo what a failed checkout has done (in progress)" in " ".join(table.split())
    assert "What to try next" in shown and "\x1b" not in shown
    assert max(map(len, shown.split("Code for")[0].splitlines())) <= 100
    for row in (r"it helped +Put a circuit .* incidents +12 +0$", r"time to resolve +2\dm +none$", r"latency +151 ms +50 ms$"):
        assert re.search(row, outcome, re.MULTILINE)
    assert re.search("it did not help +Load the recommendation", outcome)
    # A replay of its files comes to the same end.
    ended = newest(forestall_does("replay", "-c", "boutique/forestall.yaml", "--file", "boutique/history.jsonl", timeout=300).stdout)
    states = {id.split(":")[0]: version["status"] for id, version in ended.items()}
    assert f"versions of {len(ended)} recommendations published" in " ".join(shown.split())
    assert {rule: status for rule, status in states.items() if status != "proposed"} == {
        "cart-redis-oom-recurs": "validated", "ecb-timeouts": "validated", "recommendation-model-leaks": "ineffective",
        "frontend-templates-slow": "implemented", "releases-break-payments": "validating",
        "currency-health-blind": "dismissed", "checkout-half-done": "in_progress"}


def test_the_same_seed_gives_the_same_history(forestall_does):
    first = forestall_does("gen", "--seed", "5", "--days", "2").stdout
    assert first == forestall_does("gen", "--seed", "5", "--days", "2").stdout
    assert first != forestall_does("gen", "--seed", "6", "--days", "2").stdout
    assert {json.loads(line)["stream"] for line in first.splitlines()} == {"incident", "deployment", "telemetry"}
