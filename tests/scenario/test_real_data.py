"""Detectors over histories that nobody here wrote, held against answers worked out without the program."""

import collections
import datetime
import json
import subprocess
import sys

import pytest

import harness

SHARED = harness.SOURCE.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="the real data sets are not here")

ROLLBACKS = """
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: any-revert
  from: {live: {stream: deployment, match: {environment: production}, where: "event.version.matches('^v[0-9]+$')"}}
  detect: {type: revert, group_by: [service], of: live, value: event.version, memory: 3660d}
  recommend: {category: deployment_pipeline, title: "from {{ previous }} back to {{ value }}", cooldown: 0s}
- id: rollback
  from: {live: {stream: deployment, match: {environment: production}, where: "event.version.matches('^v[0-9]+$')"}}
  detect:
    type: revert
    group_by: [service]
    of: live
    value: event.version
    memory: 3660d
    when: int(previous.split('v')[1]) > int(value.split('v')[1])
  recommend: {category: deployment_pipeline, title: "from {{ previous }} back to {{ value }}", cooldown: 0s}
"""
ERRORS = """
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: apache
  from: {errors: {stream: telemetry, match: {service: apache, level: error}}}
  detect: {group_by: {pattern: fingerprint(event.message)}, window: {size: 10d, slide: 10d}, when: count(errors) > 0}
  recommend: {category: code_quality, title: "{{ count(errors) }} of {{ distinct(errors, event.labels['template']) }}"}
- id: hadoop
  from: {errors: {stream: telemetry, match: {service: hadoop, level: [warn, error, fatal]}}}
  detect: {group_by: {pattern: fingerprint(event.message)}, window: {size: 10d, slide: 10d}, when: count(errors) > 0}
  recommend: {category: code_quality, title: "{{ count(errors) }} of {{ distinct(errors, event.labels['template']) }}"}
- id: never-seen
  from: {errors: {stream: telemetry, match: {service: [apache, hadoop], level: [warn, error, fatal]}}}
  detect:
    type: new_value
    group_by: [service]
    of: errors
    value: fingerprint(event.message)
    memory: 30d
    warmup: 0s
  recommend: {category: code_quality, title: "{{ value }}", cooldown: 0s}
"""


ALL_LINES = """
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: all-lines
  from: {line: {stream: telemetry}}
  detect:
    group_by: {system: event.service, template: "event.labels['template']", pattern: fingerprint(event.message)}
    window: {size: 10d, slide: 10d}
    when: count(line) > 0
  recommend: {category: code_quality, title: "{{ count(line) }}"}
"""


TRENDS = """
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: r
  from: {cpu: {stream: telemetry, match: {name: value, service: [ec2_cpu_utilization_c6585a, rds_cpu_utilization_e47b3b, leak]}}}
  detect: {type: trend, of: cpu, group_by: [service], window: WINDOW, method: METHOD, limit: 90, horizon: 30d}
  recommend: {category: infrastructure_resilience, title: "90 % in {{ eta }}", severity: sev2, cooldown: 0s}
"""


@pytest.fixture
def replay(forestall_does, tmp_path):
    """The versions that the rules give over a data set, in order of their time."""

    def run(data, rules, more=()):
        events = subprocess.run([sys.executable, SHARED / "convert.py", data], capture_output=True, check=True)
        added = "".join(json.dumps(event) + "\n" for event in more).encode()
        (tmp_path / "events.jsonl").write_bytes(events.stdout)
        (tmp_path / "more.jsonl").write_bytes(added)
        (tmp_path / "rules.yaml").write_text(rules)
        (tmp_path / "forestall.yaml").write_text("rules: [rules.yaml]\n")
        done = forestall_does("replay", "--file", "events.jsonl", *(["more.jsonl"] if more else []), "--drain")
        assert "0 late, 0 dead letters" in done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def newest(versions):
    return {version["recommendation_id"]: version for version in versions}.values()


def test_rollbacks_of_a_government_s_deployments(replay):
    detections = collections.Counter()
    for recommendation in newest(replay("govuk", ROLLBACKS)):
        detections[recommendation["rule_id"]] += recommendation["detections"]
    assert detections == {"any-revert": 100, "rollback": 54}


def test_fingerprints_part_log_lines_as_their_templates_do(replay):
    versions = replay("loghub", ERRORS)
    sizes = collections.defaultdict(list)
    for recommendation in newest(versions):
        if recommendation["rule_id"] != "never-seen":
            lines, templates = recommendation["title"].split(" of ")
            assert templates == "1"
            sizes[recommendation["rule_id"]].append(int(lines))
    assert sorted(sizes["apache"]) == [12, 12, 32, 539]
    assert len(sizes["hadoop"]) == 12 and sum(sizes["hadoop"]) == 960
    assert sorted(sizes["hadoop"])[-3:] == [147, 326, 476]
    firsts = [version for version in versions if version["rule_id"] == "never-seen"]
    assert collections.Counter(version["group"]["service"] for version in firsts) == {"apache": 4, "hadoop": 12}
    assert len({version["title"] for version in firsts}) == 16


def test_fingerprints_of_whole_logs_are_about_as_many_as_templates(replay):
    """What is left over: words that vary (host names, classes), lists of varying length."""
    templates, patterns, shared = {}, {}, {}
    for recommendation in newest(replay("loghub", ALL_LINES)):
        group = recommendation["group"]
        templates.setdefault(group["system"], set()).add(group["template"])
        patterns.setdefault(group["system"], set()).add(group["pattern"])
        shared.setdefault((group["system"], group["pattern"]), set()).add(group["template"])
    assert {system: len(names) for system, names in templates.items()} == {
        "apache": 6, "hadoop": 114, "hdfs": 14, "openstack": 43}
    assert {system: len(names) for system, names in patterns.items()} == {
        "apache": 6, "hadoop": 129, "hdfs": 16, "openstack": 42}
    assert [names for names in shared.values() if len(names) > 1] == [{"E24", "E25", "E26"}]


def leak():
    """Half a percent more a day beneath twice as much of noise, over the days of the real series."""
    start = datetime.datetime(2014, 4, 2, tzinfo=datetime.timezone.utc)
    for number in range(22 * 288):
        at = start + number * datetime.timedelta(minutes=5)
        noise = number * 7919 % 101 / 50 - 1
        yield {"stream": "telemetry", "kind": "METRIC", "service": "leak", "name": "value", "labels": {},
               "value": 70 + number / 576 + noise, "occurred_at": at.isoformat().replace("+00:00", "Z")}


@pytest.mark.parametrize("method", ["theil_sen", "least_squares"])
@pytest.mark.parametrize("window", ["{calendar: week}", "{size: 7d, slide: 1d}", "{size: 3d, slide: 6h}", "{size: 2d, slide: 1h}"])
def test_series_that_stand_or_shift_are_no_trend_and_a_leak_is(replay, window, method):
    versions = replay("nab", TRENDS.replace("WINDOW", window).replace("METHOD", method), leak())
    assert {version["group"]["service"] for version in versions} == {"leak"}
