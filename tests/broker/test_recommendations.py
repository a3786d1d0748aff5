"""`forestall recommendations` on a real Kafka: what is said from the command line takes effect, or is refused with the
reason, in JSON and in Avro; and what is said where nobody listens."""

import json
import subprocess
import time

import pytest

HOUR_MS = 3_600_000
RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: twice
  from: {x: {stream: incident}}
  detect: {group_by: [service], window: {size: 30d}, when: count(x) >= 2}
  recommend: {category: architecture, title: "{{ group.service }}", cooldown: 0s, spec: {problem: p, solution: s}}
"""


@pytest.mark.parametrize("format", ["json", "avro"])
def test_said_and_done(format, binary, topics, writer, forestall, forestall_does, write_config):
    incidents, feedback = topics.create("incidents"), topics.create("feedback")
    quick = {"idle_lag": "300ms", "out_of_orderness": "0s"}
    config = write_config([{"topic": incidents, "stream": "incident", "format": "json", **quick},
                           {"topic": feedback, "stream": "feedback", "format": format, **quick}],
                          {"twice.yaml": RULES}, commit_interval="50ms",
                          outputs={"recommendations": {"topic": topics.name("recommendations"), "format": format}})

    def say(*arguments, status=0):
        done = forestall_does("recommendations", *arguments, "-c", config, status=status)
        return done.stdout + done.stderr

    assert f"there is no topic {topics.name('recommendations')}: `forestall topics create`" in say("list", status=1)
    subprocess.run([binary, "topics", "create", "-c", config], check=True, capture_output=True, timeout=60)
    assert say("list") == "There are no recommendations.\n"
    now = int(time.time() * 1000)
    for n in range(2):
        writer.json(incidents, {"event_id": f"e{n}", "incident_id": f"i{n}", "status": "OPEN", "service": "cart",
                                "occurred_at": now - (2 - n) * HOUR_MS, "severity": "SEV3", "title": "t"})
    writer.flush()
    run = forestall(config)
    deadline = time.monotonic() + 60
    while "twice" not in say("list"):
        assert time.monotonic() < deadline

    assert say("accept", "twice", "--actor", "ann", "--comment", "we do it").endswith(": accepted, was proposed\n")
    record = json.loads(say("show", "twice", "--output", "json"))
    assert (record["status"], record["priority"], record["life_version"]) == ("accepted", "P4", 2)
    assert [record["history"][-1][key] for key in ("from", "to", "actor", "comment")] == ["proposed", "accepted", "ann", "we do it"]
    assert "'accept' is not allowed: the status" in say("accept", "twice", status=1)
    assert "refused: stale: expected_version is 1, but life_version is 2" in say("start", "twice", "--expected-version", "1", status=1)
    assert "noted; it stays accepted" in say("comment", "twice", "--comment", "soon")
    assert "dismissed, was accepted" in say("dismiss", "twice", "--until", "30d")
    assert run.stop() == 0
    silent = say("reopen", "twice", "--wait", "300ms", status=1)
    assert "nothing came of it within 300ms" in silent and "that takes up to about 300ms" in silent
    assert "written to" in say("reopen", "twice", "--wait", "0s")


def test_a_missing_feedback_topic_is_told_and_not_made(topics, writer, forestall_does, write_config):
    recommendations, feedback = topics.create("recommendations"), topics.name("feedback")
    topics.create("dead-letter")
    config = write_config([{"topic": topics.name("incidents"), "stream": "incident", "format": "json"},
                           {"topic": feedback, "stream": "feedback", "format": "json"}], {"twice.yaml": RULES})
    writer.json(recommendations, {"recommendation_id": "twice:0", "rule_id": "twice", "status": "proposed", "version": 1},
                key="twice:0")
    writer.flush()
    for _ in range(2):  # nor is it there because it was asked about
        said = forestall_does("recommendations", "accept", "twice", "-c", config, status=1).stderr
        assert f"there is no topic {feedback}: make it first" in said
    assert topics.partitions(feedback) == []


def test_nobody_reads_feedback(binary, topics, writer, forestall_does, write_config):
    incidents = topics.create("incidents")
    config = write_config([{"topic": incidents, "stream": "incident", "format": "json"}], {"twice.yaml": RULES})
    subprocess.run([binary, "topics", "create", "-c", config], check=True, capture_output=True, timeout=60)
    writer.json(topics.name("recommendations"), {"recommendation_id": "twice:0", "rule_id": "twice", "status": "proposed", "version": 1},
                key="twice:0")
    writer.flush()
    assert "the configuration reads no feedback: add a source" in forestall_does(
        "recommendations", "accept", "twice", "-c", config, status=1).stderr
