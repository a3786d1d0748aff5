"""`forestall check`: what it prints for people and for programs, and how it ends."""

import json

import pytest

import harness

RULE = """apiVersion: forestall.io/v1
kind: RuleSet
lists: {idle: [a]}
rules:
- id: untested
  from: {x: {stream: incident, match: {service: a}}}
  detect: {group_by: [service], window: {size: 7d}, when: count(x) >= 2}
  recommend: {category: architecture, title: t}
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/one rule.yaml").write_text(RULE)
    (tmp_path / "bad.yaml").write_text(RULE.replace("untested", "bad").replace("count(x)", "cuont(x)"))
    (tmp_path / "forestall.yaml").write_text("rules: [rules/]\n")
    return tmp_path


def test_warnings_are_told_and_end_well(forestall_does, files):
    done = forestall_does("check")
    assert "rules/one rule.yaml:3:9: warning: no rule of this file uses the list 'idle' [unused]\n" in done.stderr
    assert "  lists: {idle: [a]}\n          ^\n" in done.stderr
    assert "[no-tests]" in done.stderr
    assert done.stdout == "1 configuration, 1 rule in 1 file, no errors, 2 warnings\n"


def test_strict(forestall_does, files):
    forestall_does("check", "--strict", status=1)
    forestall_does("check", "--strict", "--allow", "unused", status=1)
    quiet = forestall_does("check", "--strict", "--allow", "unused", "--allow=no-tests")
    assert quiet.stderr == "" and quiet.stdout == "1 configuration, 1 rule in 1 file, no errors\n"
    assert "the codes are no-tests" in forestall_does("check", "--allow", "unsued", status=2).stderr
    assert "no output format 'xml'" in forestall_does("check", "--output", "xml", status=2).stderr


@pytest.mark.parametrize("given, detect, warned", [
    ("name: cpu", "window: {size: 2h}", "3:52: warning: a sliding window over 'x' keeps every event of it for 2h; write a slide"),
    ("name: cpu", "window: {size: 5m}", "3:52: warning: a sliding window forwards every event of 'x' one by one; with a slide they "
                                        "would be folded first"),
    ("name: cpu", "window: {gap: 5m}", "3:45: warning: this forwards every event of 'x' one by one, for they cannot be folded; narrow the "
                                       "input by its match, or detect in windows and read the detections"),
    ("name: cpu", "window: {size: 5m, slide: 1m}", None),
    ("kind: alert", "window: {size: 5m}", None), ("level: error", "window: {gap: 5m}", None)])
def test_what_is_forwarded(forestall_does, tmp_path, given, detect, warned):
    (tmp_path / "r.yaml").write_text(f"""{{apiVersion: forestall.io/v1, kind: RuleSet, rules: [{{id: a,
      from: {{x: {{stream: telemetry, match: {{{given}}}}}}},
      detect: {{group_by: [service], {detect}, when: count(x) > 1}}}}]}}""")
    said = forestall_does("check", "r.yaml").stderr.splitlines()
    assert said[:1] == ([] if warned is None else [f"r.yaml:{warned} [forwarded]"])


def test_what_is_named_twice_is_told_once(forestall_does, files):
    done = forestall_does("check", "forestall.yaml", "forestall.yaml", "rules", "rules/one rule.yaml")
    assert done.stderr.count("[unused]") == 1 and "2 warnings" in done.stdout


def test_scorecards_are_counted_apart(forestall_does, tmp_path):
    card = "apiVersion: forestall.io/v1\nkind: Scorecard\nscorecards:\n- {id: %s, from: {x: {stream: incident}}, " \
           "window: {size: 1d, slide: 1d}, value: count(x)}\n"
    rule = "apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n- {id: r, from: {c: {stream: scorecard}}, " \
           "detect: {window: {size: 1d}, when: count(c) > 1}}\n"
    (tmp_path / "c.yaml").write_text(card % "c")
    (tmp_path / "d.yaml").write_text(card % "d")
    (tmp_path / "r.yaml").write_text(rule)
    allow = "--allow=no-tests"
    assert forestall_does("check", allow, "c.yaml").stdout == "1 scorecard in 1 file, no errors\n"
    assert forestall_does("check", allow, "c.yaml", "d.yaml", "r.yaml").stdout == "1 rule and 2 scorecards in 3 files, no errors\n"
    found = json.loads(forestall_does("check", allow, "--output=json", "c.yaml", "d.yaml", "r.yaml").stdout)
    assert (found["rules"], found["scorecards"]) == (1, 2)


def test_json(forestall_does, files):
    done = forestall_does("check", "--output", "json", "bad.yaml", "rules", status=1)
    found = json.loads(done.stdout)
    assert done.stderr == ""
    assert {key: found[key] for key in ("errors", "warnings", "configurations", "rules")} == {
        "errors": 1, "warnings": 1, "configurations": 0, "rules": 0}
    assert found["diagnostics"][0] == {
        "file": "bad.yaml", "line": 7, "column": 59, "level": "error", "code": "error",
        "message": "unknown function cuont(); did you mean 'count'?"}
    assert [each["code"] for each in found["diagnostics"]] == ["error", "no-tests"]
    assert json.loads(forestall_does("check", "--output=json", "--allow=unused", "--allow=no-tests").stdout)["diagnostics"] == []


def test_sarif(forestall_does, files):
    done = forestall_does("check", "--output", "sarif", "bad.yaml", "./rules", files / "rules/one rule.yaml", status=1)
    log = json.loads(done.stdout)
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "forestall" and driver["version"]
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"] and rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] == ("error" if rule["id"] == "error" else "warning")
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"] and result["level"] == ("error" if result["ruleId"] == "error" else "warning")
    places = {}
    for result in run["results"]:
        (location,) = result["locations"]
        place = location["physicalLocation"]
        places[result["ruleId"]] = (place["artifactLocation"]["uri"], place["region"]["startLine"], place["region"]["startColumn"])
    assert places == {"error": ("bad.yaml", 7, 59), "no-tests": ("rules/one%20rule.yaml", 5, 7)}
    nothing = json.loads(forestall_does("check", "--output", "sarif", "--allow=unused", "--allow=no-tests").stdout)
    assert nothing["runs"][0]["results"] == []


def test_sarif_of_an_absolute_path(forestall_does, files):
    log = json.loads(forestall_does("check", "--output", "sarif", files / "bad.yaml", status=1).stdout)
    uri = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == f"file://{files}/bad.yaml"


def test_files_that_override_the_same_rule(forestall_does, tmp_path):
    """Several may, each its own keys: what two say of one key is an error, wherever the folder sorts them."""
    (tmp_path / "a.yaml").write_text(RULE.replace("lists: {idle: [a]}\n", ""))
    head = "apiVersion: forestall.io/v1\nkind: RuleSet\noverrides:\n  untested: "
    (tmp_path / "b.yaml").write_text(head + "{detect: {window: {size: 3d}}, recommend: {complexity: low}}\n")
    (tmp_path / "c.yaml").write_text(head + "{recommend: {title: other, severity: sev2}}\n")
    assert forestall_does("check", "--allow=no-tests", ".").stdout == "1 rule in 3 files, no errors\n"
    (tmp_path / "d.yaml").write_text(head + "{recommend: {roadmap: quality, complexity: high}}\n")
    done = forestall_does("check", "--allow=no-tests", ".", status=1)
    assert "d.yaml:4:44: error: 'complexity' of rule 'untested' is overridden twice, first in ./b.yaml:4\n" in done.stderr


SOURCE = "- {topic: t, stream: incident, format: avro, schema: s.avsc}"
KAFKA = "{bootstrap.servers: '127.0.0.1:1'%s}"
ADVICE = "; it must be a file with the Avro schema that the topic's producers write with, of records that can be read as schemas/incident.avsc"


@pytest.fixture
def refused(forestall_does, files):
    """What `check` says of a configuration in one line, and `run` likewise, before it asks a broker."""

    def find(kafka="", sources=SOURCE):
        (files / "forestall.yaml").write_text(f"kafka: {KAFKA % kafka}\nsources:\n{sources}\nrules: [rules/]\n")
        said = [[line for line in forestall_does(*command, status=1).stderr.splitlines() if "forestall.yaml" in line]
                for command in (("check", "--allow=unused", "--allow=no-tests"), ("run",))]
        assert said[0] == said[1] and len(said[0]) == 1, said
        return said[0][0]

    return find


@pytest.mark.parametrize("schema, wrong", [
    (None, "cannot read s.avsc: No such file or directory"),
    ("{", "s.avsc: schema: not JSON: "),
    ('{"type": "record", "name": "Incident", "fields": [{"name": "event_id", "type": "string"}]}',
     "s.avsc: schema: it has no field 'incident_id', which is required"),
    ('"string"', "s.avsc: schema: a record is expected, not an Avro string")])
def test_a_schema_that_is_wrong(refused, files, schema, wrong):
    if schema is not None:
        (files / "s.avsc").write_text(schema)
    said = refused()
    assert said.startswith(f"forestall.yaml:3:54: error: {wrong}") and said.endswith(ADVICE)


def test_a_schema_that_is_right(forestall_does, files):
    (files / "s.avsc").write_bytes((harness.SOURCE / "schemas/incident.avsc").read_bytes())
    (files / "forestall.yaml").write_text(f"kafka: {KAFKA % ''}\nsources:\n{SOURCE}\nrules: [rules/]\n")
    assert "no errors" in forestall_does("check").stdout


def test_more_sources_than_there_may_be(refused):
    sources = "\n".join(f"- {{topic: t{n}, stream: incident, format: json}}" for n in range(258))
    assert refused(sources=sources) == "forestall.yaml:259:3: error: there are 258 sources, and at most 256"


@pytest.mark.parametrize("kafka, column, wrong", [
    ("max.poll.interval.ms: 5000", 43, "(max.poll.interval.ms is 5000, session.timeout.ms is 45000)"),
    ("security.protocol: ssl, ssl.ca.location: nowhere.pem", 67, "kafka: ssl.ca.location failed"),
    ("linger.ms: 20000", 43, "(message.timeout.ms is 9000, linger.ms is 20000)")])
def test_properties_that_do_not_go_together(refused, kafka, column, wrong):
    said = refused(f", {kafka}", "- {topic: t, stream: incident, format: json}")
    assert said.startswith(f"forestall.yaml:1:{column}: error: kafka: ") and wrong in said
