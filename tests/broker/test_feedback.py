"""Feedback on a real Kafka: applied once whatever is killed, refused to dead letter as it came, and replayed the same."""

import json
import random
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


class Talk:
    """An application over incidents, whose time follows the clock, and what people say of its one recommendation."""

    def __init__(self, binary, topics, writer, reader, forestall, write_config):
        self.binary, self.writer, self.forestall = binary, writer, forestall
        self.incidents, self.feedback = topics.create("incidents"), topics.create("feedback", **{"message.timestamp.type": "LogAppendTime"})
        self.config = write_config(
            [{"topic": self.incidents, "stream": "incident", "format": "json", "idle_lag": "300ms", "out_of_orderness": "0s"},
             {"topic": self.feedback, "stream": "feedback", "format": "json", "idle_lag": "300ms", "out_of_orderness": "0s"}],
            {"feedback.yaml": RULES}, commit_interval="50ms")
        subprocess.run([binary, "topics", "create", "-c", self.config], check=True, capture_output=True, timeout=60)
        self.output, self.letters = reader(topics.name("recommendations")), reader(topics.name("dead-letter"))
        self.said = 0
        now = int(time.time() * 1000)
        for n in range(2):
            writer.json(self.incidents, {"event_id": f"e{n}", "incident_id": f"i{n}", "status": "OPEN", "service": "cart",
                                         "occurred_at": now - (2 - n) * HOUR_MS, "severity": "SEV3", "title": "t"})
        writer.flush()
        self.start()
        self.id = self.output.count(1)[0].text_key

    def start(self):
        self.process = self.forestall(self.config)

    def say(self, action, **changes):
        self.said += 1
        record = {"event_id": f"said-{self.said}", "recommendation_id": self.id, "action": action, "actor": "ann",
                  "occurred_at": 0, **changes}
        value = json.dumps(record).encode()
        self.writer.bytes(self.feedback, value, key=b"k")
        self.writer.flush()
        return value

    def statuses(self, *expected):
        records = self.output.until(lambda records: len(records) >= len(expected), f"{expected}")
        assert [record.json["status"] for record in records] == list(expected)
        return records[-1].json


@pytest.fixture
def talk(binary, topics, writer, reader, forestall, write_config):
    return Talk(binary, topics, writer, reader, forestall, write_config)


def test_what_is_said_is_applied_or_refused(talk):
    first = talk.say("ACCEPT", expected_version=1)
    accepted = talk.statuses("proposed", "accepted")
    assert accepted["life_version"] == 2 and accepted["history"][-1]["actor"] == "ann"
    talk.writer.bytes(talk.feedback, first, key=b"k")  # sent twice: neither applied nor refused
    stale = talk.say("DISMISS", expected_version=1)
    illegal = talk.say("REOPEN")
    unknown = talk.say("START", recommendation_id="twice:0000000000000000")
    talk.writer.bytes(talk.feedback, b"no json", key=b"k")
    talk.say("START")
    talk.statuses("proposed", "accepted", "in_progress")
    letters = {record.value: record for record in talk.letters.count(4)}
    assert set(letters) == {stale, illegal, unknown, b"no json"} and len(talk.letters.records) == 4
    for value, offset, reason in ((stale, 2, "expected_version is 1, but life_version is 2, with status accepted"),
                                  (illegal, 3, "the status is accepted, with life_version 2; allowed now: start, implement, dismiss, comment"),
                                  (unknown, 4, "there is no recommendation 'twice:0000000000000000'")):
        headers = letters[value].headers
        assert reason in headers["forestall.error"].decode()
        assert (headers["forestall.topic"].decode(), headers["forestall.partition"], headers["forestall.offset"].decode()) == (
            talk.feedback, b"0", str(offset))
        assert letters[value].key == b"k"
    assert talk.process.stop() == 0


def test_killed_at_any_time_nothing_counts_twice(talk):
    dice = random.Random(1)
    expected = ["proposed"]
    refused = []
    for _ in range(4):
        for action, status in (("ACCEPT", "accepted"), ("DISMISS", "dismissed"), ("REOPEN", "reopened")):
            talk.output.count(dice.randint(0, len(expected)))  # behind by none, or by a few
            talk.say(action)
            expected.append(status)
            refused.append(talk.say(action))  # no longer allowed
            if dice.random() < 0.5:
                talk.process.kill()
                talk.start()
    talk.say("START")
    talk.statuses(*expected, "in_progress")
    talk.process.wait_for_log("msg=ready")
    assert [record.value for record in talk.letters.count(len(refused))] == refused
    assert talk.process.stop() == 0
    assert len(talk.letters.drain()) == len(refused)
    # A reading of the topics comes to the same, byte for byte.
    again = subprocess.run([talk.binary, "replay", "-c", talk.config], capture_output=True, timeout=60, check=True).stdout
    assert again.splitlines() == [record.value for record in talk.output.drain()]
