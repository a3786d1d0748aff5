"""Sequences through the whole engine: the cases of tests/unit/detect_sequence_table.h as rules over telemetry."""

import json
import re

import pytest

import harness

TABLE = (harness.SOURCE / "tests/unit/detect_sequence_table.h").read_text()
STEP = re.compile(r"(?P<no>!?)(?P<before>[.*]?)(?P<name>[a-z])(?:\{(?P<times>[^}]*)\})?(?P<inner>[=%]?)(?P<optional>\??)(?P<greedy>\^?)(?:/(?P<until>[a-z]))?$")
CONTIGUITY = {"": None, ".": "strict", "*": "relaxed_any"}
START_MS = 1_704_067_200_000
FIELDS = {"kind": "METRIC", "name": "it"}


def table():
    """The lines of the table: lists of its fields."""
    text = re.sub(r"/\*.*?\*/", "", TABLE, flags=re.DOTALL)
    for case in re.findall(r'((?:"[^"]*"\s*)+),', text):
        yield [field.strip() for field in "".join(re.findall(r'"([^"]*)"', case)).split("|")]


def options_of(step):
    options = {"contiguity": CONTIGUITY[step["before"]], "times": step["times"],
               "consecutive": step["inner"] == "=", "combinations": step["inner"] == "%", "optional": step["optional"] == "?",
               "greedy": step["greedy"] == "^", "until": step["until"] and f"event.labels.holds.contains('{step['until']}')"}
    return {key: value for key, value in options.items() if value}


def expressible(pattern, reads):
    """Conditions that count over what came before, greed and inner contiguity where there is nothing to choose: not in the language."""
    steps = [STEP.match(step) for step in pattern.split()]
    fixed = [step for step in steps if step["times"] and len(set(step["times"].split(".."))) == 1 and step["greedy"]]
    single = [step for step in steps if step["times"] in ("1", "1..1") and step["inner"]]
    return not reads and not fixed and not single


def rule_of(number, pattern, skip, limits):
    service = {"stream": "telemetry", "match": {"service": f"case-{number}"}}
    within, _, gap = limits.partition("/")
    steps, title, inputs = [], "", {"other": service}
    for step in (STEP.match(each) for each in pattern.split()):
        name = step["name"]
        inputs[name] = {**service, "where": f"event.labels.holds.contains('{name}')"}
        if step["no"]:
            steps.append({"not": {name: {"contiguity": "strict"}} if step["before"] else name})
            continue
        steps.append({name: options_of(step)} if options_of(step) else name)
        title += ("{{ %s.map(e, '%s' + e.event_id).join('') }}" if step["times"] else "{{ %s == null ? '' : '%s' + %s.event_id }}"
                  ) % ((name, name) if step["times"] else (name, name, name))
    detect = {"type": "sequence", "group_by": [], "steps": steps, "skip": skip, "warmup": "0s",
              "within": within != "0" and f"{within}ms", "max_gap": gap and f"{gap}ms"}
    detect = {key: value for key, value in detect.items() if value or key == "group_by"}
    if not pattern.startswith("!"):
        detect.pop("warmup")
    return {"id": f"case-{number}", "from": inputs, "detect": detect,
            "recommend": {"category": "architecture", "title": title, "cooldown": "0s", "spec": {"problem": "p", "solution": "s"}}}


def events_of(number, text):
    for place, event in enumerate(text.split(), 1):
        time, _, holds = event.rpartition(":")
        yield int(time or place), {"stream": "telemetry", "event_id": str(place), "service": f"case-{number}", **FIELDS,
                                   "occurred_at": START_MS + int(time or place), "labels": {"holds": holds}}


def expected_of(events, matches):
    """(match, its time) in order; the time of the last event where the table says no other."""
    times = [time for time, _ in events]
    for match in matches.split():
        text, _, time = match.partition("@")
        yield text, int(time or times[int(re.findall(r"\d+", text)[-1]) - 1])


def test_the_table_through_the_engine(forestall_does, tmp_path):
    cases = [(number, fields) for number, fields in enumerate(table()) if expressible(fields[0], fields[3])]
    assert len(cases) > 200
    rules = {"apiVersion": "forestall.io/v1", "kind": "RuleSet",
             "rules": [rule_of(number, *fields[:3]) for number, fields in cases]}
    events = [each for number, fields in cases for each in events_of(number, fields[4])]
    events.append((60_000, {"stream": "telemetry", "service": "last", **FIELDS, "occurred_at": START_MS + 60_000}))
    (tmp_path / "rules.yaml").write_text(json.dumps(rules, indent=1))
    (tmp_path / "forestall.yaml").write_text("rules: [rules.yaml]\n")
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for _, event in sorted(events, key=lambda each: each[0])))
    out = forestall_does("replay", "--file", "events.jsonl").stdout
    got = {number: [] for number, _ in cases}
    for version in map(json.loads, out.splitlines()):
        got[int(version["rule_id"].removeprefix("case-"))].append((version["title"], version["event_time"]))
    for number, fields in cases:
        expected = [(text, f"2024-01-01T00:00:00.{time:03d}Z") for text, time in expected_of(list(events_of(number, fields[4])), fields[5])]
        assert got[number] == expected, " | ".join(fields)


CAPPED = """
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: pairs
  from: {a: {stream: telemetry, match: {name: a}}, b: {stream: telemetry, match: {name: b}}}
  detect: {type: sequence, group_by: [service], within: 1h, steps: [a, {b: {contiguity: relaxed_any}}]}
  recommend: {category: architecture, title: "{{ a.event_id }}", cooldown: 0s, spec: {problem: p, solution: s}}
"""


def test_partial_matches_are_capped_and_it_is_said(forestall_does, tmp_path):
    """The oldest go first."""
    events = [{"stream": "telemetry", "event_id": str(n), "kind": "METRIC", "name": "a" if n < 6 else "b", "service": "s",
               "occurred_at": START_MS + n} for n in range(7)]
    (tmp_path / "rules.yaml").write_text(CAPPED)
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    for limit, titles, notes in ((4, ["2", "3", "4", "5"], ["capped"]), (1000, [str(n) for n in range(6)], [])):
        (tmp_path / "forestall.yaml").write_text(f"rules: [rules.yaml]\nlimits: {{partial_matches: {limit}}}\n")
        found = [json.loads(line) for line in forestall_does("replay", "--file", "events.jsonl").stdout.splitlines()]
        assert [version["title"] for version in found] == titles
        assert found[-1]["notes"] == notes
