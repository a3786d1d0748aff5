"""Records as large as limits.record_bytes allows, and what is made of several of them: the broker takes all of it."""

import json
import random
import subprocess
import time

import confluent_kafka
import pytest

import harness

LIMIT = 1 << 20
MAX_BYTES = 4 << 20
HOUR_MS = 3_600_000
RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: solved
  from: {x: {stream: incident, match: {status: resolved}}}
  detect: {group_by: [service], window: {size: 30d}, when: count(x) >= 1}
  recommend: {category: architecture, title: "{{ group.service }}", cooldown: 0s, spec: {problem: p, solution: s}}
"""


def long(dice, n):
    """Text that no codec makes much smaller."""
    return dice.randbytes(n // 2).hex()


@pytest.mark.parametrize("exchange", ["local", "kafka"])
def test_nothing_that_is_made_is_refused(exchange, binary, bootstrap, topics, write_config, reader, forestall):
    dice = random.Random(1)
    incidents, feedback = (topics.create(name, max_message_bytes=MAX_BYTES) for name in ("incidents", "feedback"))
    config = write_config([{"topic": topic, "stream": stream, "format": "json", "idle_lag": "300ms", "out_of_orderness": "0s"}
                           for topic, stream in ((incidents, "incident"), (feedback, "feedback"))],
                          {"sizes.yaml": RULES}, exchange=exchange, commit_interval="50ms")
    subprocess.run([binary, "topics", "create", "-c", config], check=True, capture_output=True, timeout=60)
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "message.max.bytes": MAX_BYTES})

    def send(topic, record, key):
        value = record if isinstance(record, bytes) else json.dumps(record).encode()
        producer.produce(topic, value=value, key=key)
        assert producer.flush(harness.TIMEOUT_SECONDS) == 0
        return value

    service, now = long(dice, 200_000), int(time.time() * 1000)
    for n, status in enumerate(["OPEN", "OPEN", "OPEN", "RESOLVED"]):
        send(incidents, {"event_id": f"e{n}", "incident_id": "i", "status": status, "service": service, "severity": "SEV3",
                         "occurred_at": now - (4 - n) * HOUR_MS, "title": "t", "labels": {f"l{n}": long(dice, 600_000)}}, "k")
    half = long(dice, LIMIT // 2 - 400)
    unknown = send(feedback, {"event_id": "f", "recommendation_id": "solved:0000000000000000", "action": "COMMENT",
                              "actor": "ann", "comment": half, "occurred_at": 0}, half)
    send(feedback, b"no json", long(dice, 2 * LIMIT))
    output, letters = reader(topics.name("recommendations")), reader(topics.name("dead-letter"))
    process = forestall(config)
    newest = output.count(1)[-1].json
    assert newest["group"] == {"service": service[:1024]} and newest["services"] == [service[:1024]]
    by_key = {letter.key: letter for letter in letters.count(2)}
    assert set(by_key) == {half.encode(), None}
    assert by_key[half.encode()].value == unknown
    assert by_key[None].value == b"" and by_key[None].headers["forestall.truncated"] == b"true"
    assert process.stop() == 0
    assert "values_left_out=3" in process.wait_for_log(r"msg=stopped .*$").group()
