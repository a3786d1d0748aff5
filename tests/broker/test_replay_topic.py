"""`replay --out topic:NAME`: all of it or nothing, however long it takes."""

import json
import os
import select
import subprocess

import confluent_kafka
import pytest

import harness
import seeded

DAY_MS = 86_400_000
START_MS = 1_600_000_000_000
RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: any
  from: {x: {stream: incident}}
  detect: {group_by: [service], window: {size: 7d}, when: count(x) >= 1}
  recommend: {category: architecture, title: "{{ group.service }}", cooldown: 0s, spec: {problem: p, solution: s}}
"""
CARDS = """
apiVersion: forestall.io/v1
kind: Scorecard
scorecards:
- {id: daily, from: {x: {stream: incident}}, group_by: [service], window: {size: 1d, slide: 1d}, value: count(x)}
"""


def incident(n):
    """One a day, of which each gives a version and a scorecard: long before the last a pipe is full of the latter."""
    return {"stream": "incident", "event_id": f"e{n}", "incident_id": f"i{n}", "service": "cart", "severity": "SEV3", "status": "OPEN",
            "title": "t", "occurred_at": START_MS + n * DAY_MS}


class Held:
    """A replay that stands in the middle, since nobody reads its scorecards. It has given versions by then."""

    def __init__(self, binary, arguments, folder):
        fifo = folder / "scorecards"
        os.mkfifo(fifo)
        self.pipe = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.log = folder / "replay.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([binary, "replay", *arguments, "--scorecards", fifo], stdout=log, stderr=log)
        assert select.select([self.pipe], [], [], harness.TIMEOUT_SECONDS)[0], "no scorecards came"

    def release(self):
        """Reads the rest; returns the exit status."""
        os.set_blocking(self.pipe, True)
        while os.read(self.pipe, 1 << 16):
            pass
        return self.process.wait(harness.TIMEOUT_SECONDS)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.pipe)


@pytest.fixture
def held(binary, topics, writer, write_config, tmp_path):
    """Makes a Held, of a topic or of a file; with it the topic it writes to and what it says on standard output."""
    made = []

    def make(source):
        events = [incident(n) for n in range(1000)]
        topic, out = topics.create("incidents"), topics.create("out")
        config = write_config([{"topic": topic, "stream": "incident", "format": "json"}], {"rules.yaml": RULES, "cards.yaml": CARDS},
                              time={"idle_lag": "never"})
        arguments = ["-c", config]
        if source == "file":
            file = tmp_path / "events.jsonl"
            file.write_text("".join(json.dumps(event) + "\n" for event in events))
            arguments += ["--file", file]
        else:
            for event in events:
                writer.json(topic, event)
            writer.flush()
        expected = seeded.replay(binary, config, *arguments[2:])
        made.append(Held(binary, [*arguments, "--out", f"topic:{out}"], tmp_path))
        return made[-1], out, expected

    yield make
    for each in made:
        each.close()


def wait_for_the_end_of_transactions(bootstrap, topics):
    """Until the broker has ended a transaction of 10 s that begins now: whatever of that length began before is over too."""
    topic = topics.create("canary")
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "transactional.id": topic, "transaction.timeout.ms": 10_000})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic, b"")
    assert producer.flush(harness.TIMEOUT_SECONDS) == 0
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": topic, "isolation.level": "read_committed"})
    place = confluent_kafka.TopicPartition(topic, 0)
    harness.wait_until(lambda: consumer.get_watermark_offsets(place, timeout=harness.TIMEOUT_SECONDS)[1] > 0, "the broker's abort")
    consumer.close()


@pytest.mark.parametrize("source", ["file", "topic"])
def test_a_replay_may_take_longer_than_a_transaction(bootstrap, topics, reader, drain, held, source):
    """And has written nothing before its end."""
    replay, out, expected = held(source)
    wait_for_the_end_of_transactions(bootstrap, topics)
    assert reader(out, isolation="read_uncommitted").drain() == []
    assert replay.release() == 0, replay.log.read_text()
    found = drain(out)
    assert [record.value for record in found] == [line for lines in expected.values() for line in lines]
    assert {record.text_key for record in found} == set(expected)


def test_a_topic_that_is_not_there_is_told_of_at_once(topics, forestall_does, write_config, tmp_path):
    config = write_config([{"topic": topics.create("incidents"), "stream": "incident", "format": "json"}], {"rules.yaml": RULES})
    pipe = tmp_path / "events.jsonl"
    os.mkfifo(pipe)  # nobody writes to it: whoever reads waits
    done = forestall_does("replay", "-c", config, "--file", pipe, "--out", f"topic:{topics.name('out')}", status=1)
    assert f"there is no topic {topics.name('out')}" in done.stderr
