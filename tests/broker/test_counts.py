"""What the line of the log with the counts tells of what was left out."""

import re
import subprocess

import pytest

DAY_MS = 86_400_000
START_MS = 1_704_067_200_000
RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: unresolved
  from: {x: {stream: incident}}
  detect: {group_by: [service], window: {size: 30d}, when: mttr > duration("1h")}
- id: fifth
  from: {x: {stream: incident, match: {incident_id: i4}}}
  detect: {group_by: [service], window: {size: 30d}, when: count(x) >= 1}
  recommend: {category: architecture, title: t, cooldown: 0s, spec: {problem: p, solution: s}}
"""


def incident(n, **more):
    return {"event_id": f"e{n}", "incident_id": f"i{n}", "status": "OPEN", "occurred_at": START_MS + n * DAY_MS, "service": "cart",
            "severity": "SEV3", "title": "t", **more}


@pytest.mark.parametrize("exchange", ["local", "kafka"])
def test_what_was_left_out(exchange, binary, topics, writer, write_config, forestall, reader):
    """Three entries beyond two, one incident that was detected before it began, and an average of nothing, at each of five evaluations."""
    topic = topics.create("incidents")
    config = write_config([{"topic": topic, "stream": "incident", "format": "json", "idle_lag": "never", "out_of_orderness": "0s"}],
                          {"rules.yaml": RULES}, exchange=exchange, commit_interval="50ms", limits={"window_events": 2})
    subprocess.run([binary, "topics", "create", "-c", config], check=True, capture_output=True, timeout=60)
    for n in range(6):
        writer.json(topic, incident(n, started_at=START_MS + n * DAY_MS, **({"detected_at": START_MS} if n == 1 else {})))
    writer.flush()
    process = forestall(config)
    process.wait_for_log(r"msg=ready")
    output = reader(topics.name("recommendations"))
    output.count(1)
    assert process.stop() == 0
    counts = dict(re.findall(r"(\w+)=(\d+)", process.wait_for_log(r"msg=stopped .*$").group()))
    told = {name: int(counts[name]) for name in ("entries_dropped", "spans_left_out", "when_null", "when_errors")}
    assert told == {"entries_dropped": 3, "spans_left_out": 1, "when_null": 5, "when_errors": 0}
