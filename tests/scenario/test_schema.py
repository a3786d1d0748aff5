"""schemas/rule.schema.json says what the loader of rule files says: the same keys, the same words.

The loader is asked through `forestall check`: an unknown key or word is answered with those that are known.
"""

import copy
import json
import pathlib
import re

import jsonschema
import pytest
import yaml

import harness

SCHEMA = json.loads((harness.SOURCE / "schemas/rule.schema.json").read_text())
UNKNOWN = "zzzzzzzzzzzz"


class CoreLoader(yaml.SafeLoader):
    """YAML 1.2's core schema, by which editors read: no times, no `yes`, no base 60."""


CoreLoader.yaml_implicit_resolvers = {}
for tag, pattern, first in (("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
                            ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
                            ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
                            ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789"))):
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), first)

RULE = {
    "id": "a",
    "from": {"x": {"stream": "incident", "match": {"service": "s"}}},
    "detect": {"group_by": ["service"], "window": {"size": "7d"}, "when": "count(x) > 1"},
    "recommend": {
        "category": "architecture", "title": "t", "complexity": "low", "roadmap": "quality", "severity": "sev2",
        "per": ["service"], "needs": {"detections": 2, "within": "30d"},
        "spec": {"problem": "p", "code": [{"path": "p", "text": "t"}]},
    },
    "validate": {"measures": {"incidents": {"met": "after < before"}}},
    "tests": [{
        "name": "n", "given": {"service": "s"},
        "events": [{"at": "0d", "stream": "incident"}, {"at": "1d", "feedback": "accept"}, {"at": "0d", "stream": "deployment"},
                   {"at": "0d", "stream": "telemetry"}],
        "expect": [{"at": "0d", "recommendation": {"status": "proposed"}}],
    }],
}
FILE = {"apiVersion": "forestall.io/v1", "kind": "RuleSet", "metadata": {"name": "n"}, "rules": [RULE]}
SCORECARD = {
    "id": "c",
    "from": {"x": {"stream": "incident"}},
    "group_by": ["service"],
    "window": {"size": "7d", "slide": "1d"},
    "value": "count(x)",
    "target": "change <= -0.2",
    "tests": [{"name": "n", "events": [{"at": "0d", "stream": "incident"}], "expect": [{"at": "0d", "scorecard": {"value": 1}}]}],
}
SCORECARDS = {"apiVersion": "forestall.io/v1", "kind": "Scorecard", "metadata": {"name": "n"}, "scorecards": [SCORECARD]}
TEST = "rules.0.tests.0"


def file_with(path=None, value=None, stream=None, detect=None, file=None):
    """A copy of FILE (or another), its input of another stream, its detector another, and `value` at a dotted path."""
    made = copy.deepcopy(FILE if file is None else file)
    if stream is not None:
        made["rules"][0]["from"]["x"]["stream"] = stream
    if detect is not None:
        made["rules"][0]["detect"] = copy.deepcopy(detect)
    if path is not None:
        *way, last = [int(step) if step.isdigit() else step for step in path.split(".") if step]
        at = made
        for step in way:
            at = at[step]
        at[last] = value
    return made


@pytest.fixture
def said(forestall_does, tmp_path):
    """What `forestall check` says of a file: its messages, errors first to last."""

    def ask(content):
        (tmp_path / "r.yaml").write_text(json.dumps(content, indent=1))
        done = forestall_does("check", "--output", "json", "r.yaml", status=None)
        return [each["message"] for each in json.loads(done.stdout)["diagnostics"] if each["level"] == "error"]

    return ask


def words_of(text):
    return set(re.split(r", | or ", text))


def known(messages, pattern):
    """The words after "known are" of the one message that is about UNKNOWN."""
    found = [match for match in (re.fullmatch(pattern.replace("UNKNOWN", UNKNOWN), message) for message in messages) if match]
    assert found, messages
    return found[0].group("words"), found[0].groupdict().get("what")


def definition(name):
    return SCHEMA["$defs"][name] if name else SCHEMA


# Each mapping of a file with keys of the language's own: where one stands, and its definition in the schema.
MAPPINGS = [
    ("", {}, None),
    ("metadata", {}, "metadata"),
    ("rules.0", {}, "rule"),
    ("rules.0.from.x", {}, "input"),
    ("rules.0.detect", {}, "detect_window"),
    *((("rules.0.detect"), {"detect": {"type": type_}}, f"detect_{type_}")
      for type_ in SCHEMA["$defs"]["detect"]["properties"]["type"]["enum"]),
    ("rules.0.detect.window", {}, "window"),
    ("rules.0.detect.pairs.0", {"detect": {"type": "burn_rate", "pairs": [{}]}}, "pair"),
    ("rules.0.detect.steps.0.x", {"detect": {"type": "sequence", "steps": [{"x": {}}]}}, "step_options"),
    ("rules.0.detect.steps.0.not.x", {"detect": {"type": "sequence", "steps": [{"not": {"x": {}}}]}}, "negated_input"),
    ("rules.0.detect.steps.0.x.until.x", {"detect": {"type": "sequence", "steps": [{"x": {"times": "1..", "until": {"x": {}}}}]}}, "ending_input"),
    ("rules.0.recommend", {}, "recommend"),
    ("rules.0.recommend.needs", {}, "needs"),
    ("rules.0.recommend.spec", {}, "spec"),
    ("rules.0.recommend.spec.code.0", {}, "code"),
    ("rules.0.validate", {}, "validate"),
    ("rules.0.validate.measures.incidents", {}, "measure"),
    (TEST, {}, "test"),
    (TEST + ".expect.0", {}, "expect"),
    (TEST + ".expect.0.recommendation", {}, "expected"),
    (TEST + ".events.1", {}, "feedback_event"),
    ("scorecards.0", {"file": SCORECARDS}, "scorecard"),
    ("scorecards.0.tests.0.expect.0.scorecard", {"file": SCORECARDS}, "expected_scorecard"),
]


def properties(name):
    if name == "metadata":
        return SCHEMA["properties"]["metadata"]["properties"]
    return definition(name)["properties"]


@pytest.mark.parametrize("path, options, name", MAPPINGS, ids=lambda value: str(value) if isinstance(value, str) else "")
def test_keys_are_the_loaders(said, path, options, name):
    words, _ = known(said(file_with(f"{path}.{UNKNOWN}", 1, **options)), "unknown key 'UNKNOWN' in .*; known are (?P<words>.*)")
    assert words_of(words) == set(properties(name))


def test_every_mapping_of_the_loader_is_among_them(said):
    """By the words with which the loader names them in its sources."""
    met = {known(said(file_with(f"{path}.{UNKNOWN}", 1, **options)), "unknown key 'UNKNOWN' in (?P<what>.*); known are (?P<words>.*)")[1]
           for path, options, _ in MAPPINGS}
    sources = "".join(path.read_text() for path in (harness.SOURCE / "stream/rule").glob("*.c"))
    called = set(re.findall(r'check_mapping\((?:[^"()]|\([^()]*(?:\([^()]*\))?[^()]*\))*"([^"]+)"', sources))
    assert called == met


def test_events_take_the_fields_of_streams(said):
    fields, common = set(), None
    for index, stream in ((0, "incident"), (2, "deployment"), (3, "telemetry")):
        words, _ = known(said(file_with(f"{TEST}.events.{index}.{UNKNOWN}", 1)),
                         f"unknown key 'UNKNOWN' in an event of stream '{stream}'; known are (?P<words>.*)")
        fields |= words_of(words)
        common = words_of(words) if common is None else common & words_of(words)
    assert fields == set(properties("event"))
    assert fields - {"at", "repeat", "every"} == set(properties("given"))
    assert {"at", "repeat", "every", "stream", "lasts"} <= common


@pytest.mark.parametrize("stream", ["incident", "deployment", "telemetry", "detection", "scorecard"])
def test_match_takes_the_fields_of_the_stream(said, stream):
    words, _ = known(said(file_with("rules.0.from.x.match", {UNKNOWN: 1}, stream=stream)),
                     "stream '.*' has no field 'UNKNOWN'; its fields are (?P<words>.*)")
    assert words_of(words) - {"code_refs", "labels", "group", "values"} == set(properties(f"match_{stream}"))


# Each word that a file chooses from a list, and where the schema has the list.
ENUMS = [
    ("rules.0.from.x.stream", {}, ("input", "properties", "stream")),
    ("rules.0.detect.type", {}, ("detect", "properties", "type")),
    ("rules.0.detect.window", {"value": {"calendar": UNKNOWN}}, ("window", "properties", "calendar")),
    ("rules.0.recommend.category", {}, ("recommend", "properties", "category")),
    ("rules.0.recommend.complexity", {}, ("recommend", "properties", "complexity")),
    ("rules.0.recommend.roadmap", {}, ("recommend", "properties", "roadmap")),
    ("rules.0.recommend.severity", {}, ("recommend", "properties", "severity")),
    ("rules.0.from.x.match.severity", {}, ("severity",)),
    ("rules.0.from.x.match.status", {}, ("incident_status",)),
    ("rules.0.from.x.match.detected_by", {}, ("detected_by",)),
    ("rules.0.from.x.match.status", {"stream": "deployment"}, ("deployment_status",)),
    ("rules.0.from.x.match.kind", {"stream": "telemetry"}, ("telemetry_kind",)),
    ("rules.0.from.x.match.trend", {"stream": "scorecard"}, ("trend",)),
    (TEST + ".events.0.stream", {}, ("event", "properties", "stream")),
    (TEST + ".events.1.feedback", {}, ("feedback_action",)),
]


def enumeration(where):
    at = SCHEMA["$defs"]
    for step in where:
        at = at[step]
    return at["enum"] if "enum" in at else at["anyOf"][0]["enum"]


@pytest.mark.parametrize("path, options, where", ENUMS, ids=lambda value: "/".join(value) if isinstance(value, tuple) else "")
def test_words_are_the_loaders(said, path, options, where):
    options = {"value": UNKNOWN, **options}
    words, _ = known(said(file_with(path, **options)), "unknown .* 'UNKNOWN'; known are (?P<words>.*)")
    assert words_of(words) == set(enumeration(where))


def validator():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    return jsonschema.Draft202012Validator(SCHEMA)


def test_every_definition_is_used():
    used = set(re.findall(r'"#/\$defs/([a-z_]+)"', json.dumps(SCHEMA)))
    assert used == set(SCHEMA["$defs"])


def rule_files():
    return sorted([*(harness.SOURCE / "rules").rglob("*.yaml"), *(harness.SOURCE / "tests/scenario").rglob("*.yaml")])


def is_rule_set(content):
    return isinstance(content, dict) and content.get("kind") in ("RuleSet", "Scorecard")


def test_rule_files_are_valid():
    files = [(path, yaml.load(path.read_text(), CoreLoader)) for path in rule_files()]
    files = [(path, content) for path, content in files if is_rule_set(content)]
    assert files
    wrong = [f"{path}: {error.json_path}: {error.message}" for path, content in files for error in validator().iter_errors(content)]
    assert not wrong, "\n".join(wrong)


def test_the_schema_that_a_rule_file_names_is_there():
    for path in rule_files():
        line = path.read_text().split("\n", 1)[0]
        named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", line)
        assert named is None or (path.parent / named.group(1)).resolve() == harness.SOURCE / "schemas/rule.schema.json", path


GOOD = [
    ("rules.0.from.x.match.severity", ["SEV1", "sev2"]),
    ("rules.0.from.x.match.reopened", 2),
    ("rules.0.from.x.match.component", None),
    ("rules.0.from.x.match.ttr", "1h30m"),
    ("rules.0.from.x.updates", "true"),
    ("rules.0.detect.group_by", {"service": "event.service"}),
    ("rules.0.detect.window", {"size": "1w1d", "slide": "1d", "wait": "500ms"}),
    ("rules.0.detect.window", {"calendar": "month", "timezone": "Europe/Berlin", "wait": "1d"}),
    ("rules.0.recommend.title", 2024),
    ("rules.0.recommend.services", "{{ services }}"),
    ("rules.0.recommend.services", ["a", "{{ group.service }}"]),
    ("rules.0.recommend.cooldown", "0s"),
    ("rules.0.recommend.spec.testing", "once"),
    ("rules.0.validate.min_before", "3"),
    ("rules.0.validate.measures.own", {"value": "count(x)", "met": "after < before"}),
    (TEST + ".events.0.repeat", 2),
    (TEST + ".events.0.labels", {"a": 1, "b": "{{ n }}"}),
    (TEST + ".advance_to", "30d"),
    (TEST + ".expect", []),
    ("lists", {"l": ["a", 1]}),
    ("overrides", {"a": {"detect": {"window": {"size": "14d"}}}}),
]


@pytest.mark.parametrize("path, value", GOOD)
def test_what_is_right_for_both(said, path, value):
    content = file_with(path, value)
    if path.endswith("repeat"):
        content["rules"][0]["tests"][0]["events"][0]["every"] = "1h"
    assert said(content) == []
    assert [error.message for error in validator().iter_errors(content)] == []


GOOD_SCORECARDS = [
    ("scorecards.0.window", {"calendar": "quarter", "timezone": "Europe/Berlin"}),
    ("scorecards.0.group_by", []),
    ("scorecards.0.tests.0.expect.0", {"at": "1d", "that": "value == 1"}),
    ("scorecards.0.from.x", {"stream": "incident", "match": {"severity": "sev1"}}),
    ("overrides", {"c": {"window": {"slide": "7d"}, "target": "value < 3"}}),
]


@pytest.mark.parametrize("path, value", GOOD_SCORECARDS)
def test_what_is_right_of_scorecards(said, path, value):
    content = file_with(path, value, file=SCORECARDS)
    assert said(content) == []
    assert [error.message for error in validator().iter_errors(content)] == []


BAD_SCORECARDS = [
    ("rules", []),
    ("topology", {"a": ["b"]}),
    ("kind", "RuleSet"),
    ("scorecards.0.window", {"size": "7d"}),
    ("scorecards.0.window", {"gap": "1h"}),
    ("scorecards.0.value", []),
    ("scorecards.0.tests.0.expect.0", {"at": "0d", "scorecard": {"values": 1}}),
    ("scorecards.0", {"id": "c", "from": {"x": {"stream": "incident"}}, "window": {"size": "7d", "slide": "1d"}}),
]


@pytest.mark.parametrize("path, value", BAD_SCORECARDS)
def test_what_is_wrong_of_scorecards(said, path, value):
    content = file_with(path, value, file=SCORECARDS)
    assert said(content) != []
    assert list(validator().iter_errors(content)) != []


BAD = [
    ("apiVersion", "forestall.io/v2"),
    ("kind", "RuleSets"),
    ("metadata.name", "With Space"),
    ("lists", {"1st": ["a"]}),
    ("lists", {"l": "a"}),
    ("macros", {"m": ["a"]}),
    ("topology", {"a": "b"}),
    ("topology", {"a": ["b", "b"]}),
    ("rules.0.id", "Not_An_Id"),
    ("rules.0.id", "a" * 101),
    ("rules.0.from", {}),
    ("rules.0.from.x", {"match": {}}),
    ("rules.0.from.x.stream", "incidents"),
    ("rules.0.from.x.match.severity", "sev9"),
    ("rules.0.from.x.match.severity", []),
    ("rules.0.from.x.match.service", None),
    ("rules.0.from.x.match.labels", {"a": "b"}),
    ("rules.0.from.x.match.reopened", "often"),
    ("rules.0.from.x.updates", "maybe"),
    ("rules.0.detect.group_by", "service"),
    ("rules.0.detect.group_by", ["service", "service"]),
    ("rules.0.detect.group_by", ["a b"]),
    ("rules.0.detect.type", "sequences"),
    ("rules.0.detect", {"when": "count(x) > 1"}),
    ("rules.0.detect", {"window": {"size": "1d"}}),
    ("rules.0.detect.window", {"slide": "1d"}),
    ("rules.0.detect.window.size", "7 days"),
    ("rules.0.detect.window.size", 7),
    ("rules.0.detect.window", {"size": "1d", "calendar": "day"}),
    ("rules.0.detect.window", {"size": "1d", "max": "1d"}),
    ("rules.0.detect.window", {"gap": "1h", "wait": "1d"}),
    ("rules.0.detect.window", {"calendar": "year"}),
    ("rules.0.recommend.category", "other"),
    ("rules.0.recommend", {"title": "t"}),
    ("rules.0.recommend", {"category": "architecture"}),
    ("rules.0.recommend.complexity", "medium"),
    ("rules.0.recommend.severity", "SEV1"),
    ("rules.0.recommend.cooldown", "often"),
    ("rules.0.recommend.supersedes", "b"),
    ("rules.0.recommend.spec.implementation", {"a": "b"}),
    ("rules.0.recommend.spec.code.0", {"path": "p"}),
    ("rules.0.recommend.spec.code.0", {"path": "p", "text": "t", "file": "f"}),
    ("rules.0.validate", {"before": "30d"}),
    ("rules.0.validate.before", "a month"),
    ("rules.0.validate.min_before", "few"),
    ("rules.0.validate.measures", {}),
    ("rules.0.validate.measures", {"own": "after < before"}),
    (TEST, {"name": "n", "events": []}),
    (TEST + ".events.0", {"stream": "incident"}),
    (TEST + ".events.0.repeat", 2),
    (TEST + ".events.0.at", "noon"),
    (TEST + ".events.1.feedback", "like"),
    (TEST + ".given.servce", "s"),
    (TEST + ".expect.0", {"at": "0d"}),
    (TEST + ".expect.0", {"recommendation": {}}),
    (TEST + ".expect.0.recommendation", {"occurences": 3}),
]


@pytest.mark.parametrize("path, value", BAD)
def test_what_is_wrong_for_both(said, path, value):
    content = file_with(path, value)
    assert said(content) != []
    assert list(validator().iter_errors(content)) != []
