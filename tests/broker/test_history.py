"""History through `run`, `replay` of the topic and `replay --file`: the same recommendations, byte for byte."""

import collections
import datetime
import json
import random
import subprocess
import sys

import pytest

import harness

SHARED = harness.SOURCE.parent / "shared" / "data"
RULE = """
apiVersion: forestall.io/v1
kind: RuleSet
metadata: {name: history}
rules:
- id: three-in-a-week
  from: {x: {stream: incident}}
  detect: {group_by: [service], window: {size: 7d}, when: count(x) >= 3}
  recommend:
    category: architecture
    title: "{{ group.service }} fails often"
    cooldown: 0s
    spec: {problem: "{{ count(x) }} incidents, {{ mttr }} to resolve", solution: find out why}
"""
PARTITIONS = 4


def versions(lines):
    """Recommendation id -> its versions' bytes, in order."""
    found = collections.defaultdict(list)
    for line in lines:
        found[json.loads(line)["recommendation_id"]].append(line)
    return found


def send(writer, topic, events):
    """Keyed by service, each partition at its own speed: one partition after the other, in chunks of random size."""
    queues = [collections.deque() for _ in range(PARTITIONS)]
    for event in events:
        queues[partition_of(event)].append(event)
    dice = random.Random(7)
    while any(queues):
        partition = dice.randrange(PARTITIONS)
        for _ in range(min(len(queues[partition]), dice.choice((1, 10, 500)))):
            event = queues[partition].popleft()
            writer.json(topic, event, key=event["service"], partition=partition)
        writer.flush()


def replay(binary, config, *options):
    done = subprocess.run([binary, "replay", "-c", config, *options], capture_output=True, check=True, timeout=120)
    return versions(done.stdout.splitlines())


def partition_of(event):
    return sum(event["service"].encode()) % PARTITIONS


def applied_below(events, out_of_orderness_ms=120_000):
    """Up to where `run` applies: the slowest partition's newest event less its lateness."""
    newest = collections.defaultdict(int)
    for event in events:
        newest[partition_of(event)] = max(newest[partition_of(event)], milliseconds(event["occurred_at"]))
    return min(newest.values()) - out_of_orderness_ms


def milliseconds(time):
    if isinstance(time, int):
        return time
    return round(datetime.datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() * 1000)


def synthetic(seed, count=3000):
    dice = random.Random(seed)
    at = 1_600_000_000_000
    events = []
    for n in range(count):
        at += int(dice.expovariate(1 / 3_600_000))
        service = f"service{dice.randrange(12)}"
        base = {"stream": "incident", "incident_id": f"i{n}", "service": service, "title": f"Incident {n}",
                "severity": dice.choice(["SEV1", "SEV2", "SEV3", "SEV4"]), "started_at": at - 60_000, "labels": {}}
        events.append({**base, "event_id": f"{n}/open", "status": "OPEN", "occurred_at": at})
        resolved = at + int(dice.expovariate(1 / 3_600_000)) + 1
        events.append({**base, "event_id": f"{n}/resolved", "status": "RESOLVED", "occurred_at": resolved, "resolved_at": resolved})
    return sorted(events, key=lambda event: event["occurred_at"])


def three_ways(binary, forestall, topics, writer, drain, write_config, tmp_path, events):
    topic = topics.create("incidents", partitions=PARTITIONS)
    send(writer, topic, events)
    config = write_config([{"topic": topic, "stream": "incident", "format": "json"}], {"history.yaml": RULE},
                          time={"idle_lag": "never"})
    by_topic = replay(binary, config)
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    by_file = replay(binary, config, "--file", file)
    assert by_topic == by_file
    limit = applied_below(events)
    expected = {identity: [line for line in lines if milliseconds(json.loads(line)["event_time"]) < limit]
                for identity, lines in by_file.items()}
    expected = {identity: lines for identity, lines in expected.items() if lines}
    subprocess.run([binary, "topics", "create", "-c", config], check=True, capture_output=True, timeout=60)
    output = json.loads(config.read_text())["outputs"]["recommendations"]["topic"]
    process = forestall(config)
    count = sum(map(len, expected.values()))
    harness.wait_until(lambda: len(drain(output)) >= count, f"{count} versions", 120)
    assert process.stop() == 0
    assert versions(record.value for record in drain(output)) == expected
    assert count > 0
    return by_file


def test_a_seeded_history_three_ways(binary, forestall, topics, writer, drain, write_config, tmp_path):
    by_file = three_ways(binary, forestall, topics, writer, drain, write_config, tmp_path, synthetic(1))
    assert len(by_file) == 12


@pytest.mark.skipif(not SHARED.exists(), reason="the real data sets are not here")
def test_the_history_of_github_s_status_page(binary, forestall, topics, writer, drain, write_config, tmp_path):
    converted = subprocess.run([sys.executable, SHARED / "convert.py", "github"], capture_output=True, check=True)
    events = [json.loads(line) for line in converted.stdout.splitlines()]
    by_file = three_ways(binary, forestall, topics, writer, drain, write_config, tmp_path, events)
    last = {record["group"]["service"]: record for record in (json.loads(lines[-1]) for lines in by_file.values())}
    figures = {service: (record["firings"], record["detections"]) for service, record in last.items()}
    assert len(figures) == 11
    assert tuple(map(sum, zip(*figures.values()))) == (176, 89)
    assert figures["Actions"] == (70, 30) and figures["Pull Requests"] == (24, 14) and figures["Copilot"] == (15, 6)


def test_history_loaded_behind_a_running_instance(binary, forestall, topics, writer, drain, write_config):
    """The topic is empty when `run` starts: whichever partition is fetched first, nothing is late.

    Each partition's first event is on the broker before a later one is: a partition that has had none holds no time back.
    """
    topic = topics.create("incidents", partitions=PARTITIONS)
    config = write_config([{"topic": topic, "stream": "incident", "format": "json"}], {"history.yaml": RULE},
                          time={"idle_lag": "never"})
    subprocess.run([binary, "topics", "create", "-c", config], check=True, capture_output=True, timeout=60)
    process = forestall(config)
    process.wait_for_log(r"msg=ready")
    events = synthetic(3, 400)
    firsts = [next(event for event in events if partition_of(event) == partition) for partition in range(PARTITIONS)]
    for event in sorted(firsts, key=lambda event: event["occurred_at"]):
        writer.json(topic, event, key=event["service"], partition=partition_of(event))
        writer.flush()
    rest = [event for event in events if event not in firsts]
    for partition in range(PARTITIONS):
        for event in rest:
            if partition_of(event) == partition:
                writer.json(topic, event, key=event["service"], partition=partition)
    writer.flush()
    limit = applied_below(events)
    expected = {identity: [line for line in lines if milliseconds(json.loads(line)["event_time"]) < limit]
                for identity, lines in replay(binary, config).items()}
    count = sum(map(len, expected.values()))
    output = json.loads(config.read_text())["outputs"]["recommendations"]["topic"]
    harness.wait_until(lambda: len(drain(output)) >= count, f"{count} versions", 60)
    assert process.stop() == 0
    assert " late=0 " in process.log and count > 0
