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


EVERY_DETECTOR = """
apiVersion: forestall.io/v1
kind: RuleSet
topology: {frontend: [cartservice, productcatalogservice, currencyservice, checkoutservice, recommendationservice],
           checkoutservice: [cartservice, paymentservice, emailservice, shippingservice, currencyservice]}
macros: {busy: "event.name == 'cpu_usage' && event.value > 15.0"}
rules:
- id: hopping
  from: {cpu: {stream: telemetry, match: {name: cpu_usage}}}
  detect: {group_by: [service], window: {size: 5m, slide: 1m}, when: avg(cpu) > 10 && p95(cpu) > 1.5 * p50(cpu)}
  recommend: {category: architecture, title: "{{ avg(cpu) }} {{ stddev(cpu) }} {{ count(cpu) }}", cooldown: 0s}
- id: sliding
  from: {hot: {stream: telemetry, where: busy}}
  detect: {group_by: [service], window: {size: 10m}, when: count(hot) >= 3}
  recommend: {category: architecture, title: "{{ max(hot) }} {{ events }}", cooldown: 0s}
- id: calendar
  from: {memory: {stream: telemetry, match: {name: memory_usage}}}
  detect: {group_by: [service], window: {calendar: day, timezone: Asia/Shanghai}, when: count(memory) > 0}
  recommend: {category: architecture, title: "{{ sum(memory) }} {{ distinct(memory, event.value) }}", cooldown: 0s}
- id: session
  from: {hot: {stream: telemetry, where: busy}}
  detect: {group_by: {pod: "event.labels['pod']", service: event.service}, window: {gap: 3m, max: 30m}, when: count(hot) >= 2}
  recommend: {category: architecture, title: "{{ first_seen }} {{ last_seen }}", cooldown: 0s}
- id: ordered
  from: {hot: {stream: telemetry, where: busy}, calm: {stream: telemetry, where: event.name == 'cpu_usage' && !busy}}
  detect: {type: sequence, group_by: [service], within: 10m, skip: past_last, steps: [hot, {again: {of: hot, times: "1..", greedy: true}}, calm]}
  recommend: {category: architecture, title: "{{ hot.value }} {{ size(again) }} {{ calm.value }}", cooldown: 0s}
- id: quiet
  from: {cpu: {stream: telemetry, match: {name: cpu_usage}}}
  detect: {type: absence, group_by: [service], of: cpu, every: 5m}
  recommend: {category: architecture, title: "{{ last_seen }}", cooldown: 0s}
- id: together
  from: {hot: {stream: telemetry, where: busy && event.service != 'adservice'}}
  detect: {type: cascade, of: hot, within: 2m}
  recommend: {category: architecture, title: "{{ affected }} {{ root }}", cooldown: 0s}
- id: new
  from: {cpu: {stream: telemetry, match: {name: cpu_usage}}}
  detect: {type: new_value, group_by: [service], of: cpu, value: int(event.value), memory: 1h}
  recommend: {category: architecture, title: "{{ value }}", cooldown: 0s}
- id: back
  from: {cpu: {stream: telemetry, match: {name: cpu_usage}}}
  detect: {type: revert, group_by: [service], of: cpu, value: int(event.value), memory: 1h, when: value > 15}
  recommend: {category: architecture, title: "{{ previous }} {{ value }}", cooldown: 0s}
- id: rising
  from: {memory: {stream: telemetry, match: {name: memory_usage}}}
  detect: {type: trend, of: memory, group_by: [service], window: {size: 2h, slide: 30m}, step: 5m, limit: 100, when: slope_per_hour > 0.1}
  recommend: {category: architecture, title: "{{ eta }} {{ slope_per_hour }}", cooldown: 0s}
"""


def test_one_wrong_clock_changes_no_other_service(forestall_does, tmp_path):
    (tmp_path / "rules.yaml").write_text(EVERY_DETECTOR)
    (tmp_path / "forestall.yaml").write_text("rules: [rules.yaml]\n")
    command = [sys.executable, SHARED / "convert.py", "nezha-metrics", "--bad-clock"]
    lines = subprocess.run(command, capture_output=True, check=True).stdout.splitlines(keepends=True)
    lines = [line for line in lines if b": NaN," not in line]
    wrong = [line for line in lines if b'"occurred_at": "2028-12' in line]
    assert len(wrong) > 7000

    def replay(lines, dead):
        (tmp_path / "events.jsonl").write_bytes(b"".join(lines))
        done = forestall_does("replay", "--file", "events.jsonl", "--now", "2022-08-23T00:00:00Z", "--drain")
        assert f"0 late, {dead} dead letters" in done.stderr
        return done.stdout.splitlines()

    others = replay([line for line in lines if b'"2028-12' not in line], 0)
    assert replay(lines, len(wrong)) == others
    assert {json.loads(line)["rule_id"] for line in others} == {
        "hopping", "sliding", "calendar", "session", "ordered", "quiet", "together", "new", "back", "rising"}
