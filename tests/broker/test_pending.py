"""An open pane of more groups than there is memory for: it waits on the disk, is completed, and counts every event, while a
quiet input lies behind the one that fills it."""

import re
import subprocess

import pytest

GROUPS, TWICE = 60_000, 50
START_MS = 1_704_067_200_000
RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
metadata: {name: pending}
rules:
- id: twice
  from: {x: {stream: telemetry}}
  detect: {group_by: [service], window: {size: 1m, slide: 1m}, when: count(x) == 2}
  recommend: {category: architecture, title: "{{ sum(x) }}", spec: {problem: p, solution: s}}
"""


def number_in_log(process, name):
    return max(map(int, re.findall(rf"\b{name}=(\d+)", process.log)), default=0)


@pytest.mark.parametrize("exchange", ["local", "kafka"])
def test_more_groups_than_memory(exchange, binary, topics, writer, reader, forestall, write_config):
    sources = {stream: topics.create(stream) for stream in ("incident", "telemetry")}
    config = write_config(
        [{"topic": topic, "stream": stream, "format": "json", "idle_lag": "1s"} for stream, topic in sources.items()],
        {"pending.yaml": RULES}, exchange=exchange, state={"memory": "8MiB"}, commit_interval="50ms", log={"level": "debug"})
    subprocess.run([binary, "topics", "create", "-c", config], check=True, capture_output=True, timeout=60)
    # Behind the telemetry by its out_of_orderness, and for longer than the pane is open.
    writer.json(sources["incident"], {"event_id": "i", "incident_id": "i", "status": "open", "service": "quiet",
                                      "severity": "sev5", "title": "t", "occurred_at": START_MS})
    for n in [*range(GROUPS), *range(TWICE)]:
        writer.json(sources["telemetry"], {"service": f"s{n}", "name": "n", "value": n, "occurred_at": START_MS + n // 8})
    writer.flush()
    process = forestall(config)
    output = reader(topics.name("recommendations"))
    process.wait_for_log(rf"msg=committed records={GROUPS + TWICE + 1}\b")
    # Not by their number: a task that is ahead publishes what has aged out while others are still on their way.
    output.until(lambda records: len({record.key for record in records}) >= TWICE, f"{TWICE} recommendations")
    assert process.stop() == 0, process.log
    assert number_in_log(process, "spilled_bytes") > 1 << 20
    assert number_in_log(process, "evaluations") >= GROUPS
    titles = {record.json["group"]["service"]: record.json["title"] for record in output.drain()}
    assert titles == {f"s{n}": str(2 * n) for n in range(TWICE)}
