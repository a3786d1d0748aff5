"""Quiet partitions: marks move their time, what lies below is late, and a replay of the topic decides the same."""

import datetime
import json
import subprocess

import confluent_kafka.admin
import pytest

import harness
import seeded

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
START_MS = 1_704_067_200_000
RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
metadata: {name: time}
rules:
- id: load
  from: {x: {stream: telemetry}}
  detect: {group_by: [service], window: {size: 1m, slide: 1m}, when: count(x) >= 1}
  recommend: {category: architecture, title: "{{ count(x) }} {{ sum(x) }}", cooldown: 0s, spec: {problem: p, solution: s}}
"""
ACTIVE, QUIET = 0, 1


class Load:
    """An application over two topics of a partition, each with the events of a service of its own."""

    def __init__(self, binary, topics, writer, reader, forestall, write_config, tmp_path, exchange, idle_lags):
        self.binary, self.writer, self.forestall, self.folder = binary, writer, forestall, tmp_path
        self.topics = [topics.create(name) for name in idle_lags]
        self.config = write_config(
            [{"topic": topic, "stream": "telemetry", "format": "json", "idle_lag": idle_lag}
             for topic, idle_lag in zip(self.topics, idle_lags.values())], {"time.yaml": RULES}, commit_interval="50ms", exchange=exchange)
        subprocess.run([binary, "topics", "create", "-c", self.config], check=True, capture_output=True, timeout=60)
        self.output, self.letters = reader(topics.name("recommendations")), reader(topics.name("dead-letter"))
        self.process = None

    def start(self):
        self.process = self.forestall(self.config)
        self.process.wait_for_log("msg=ready")

    def send(self, number, *seconds, partition=0):
        for second in seconds:
            self.writer.json(self.topics[number], {"service": f"p{number + partition}", "name": "n", "value": second,
                                                   "occurred_at": START_MS + second * SECOND_MS}, partition=partition)
        self.writer.flush()

    def read_so_far(self):
        """Everything sent to the active topic is read and decided once the dead letter of a probe is committed."""
        count = len(self.letters.drain()) + 1
        self.writer.bytes(self.topics[ACTIVE], b"probe")
        self.writer.flush()
        self.letters.count(count)

    def closed(self):
        """(service, minute) of each window that was evaluated and held something."""
        found = set()
        for record in self.output.drain():
            minute = (milliseconds(record.json["event_time"]) - START_MS) // MINUTE_MS - 1
            found.add((record.json["group"]["service"], minute))
        return found

    def late(self):
        self.letters.drain()
        return [json.loads(letter.value)["occurred_at"] for letter in self.letters.records
                if letter.headers["forestall.error"].startswith(b"late")]

    def replay(self):
        """Versions and late events as a replay of the topic has them."""
        letters = self.folder / "letters.jsonl"
        found = seeded.replay(self.binary, self.config, "--dead-letter", letters)
        return found, letters.read_text().count("late: ")

    def versions(self):
        return seeded.versions(record.value for record in self.output.drain())


def assert_begins_with(versions, ours):
    """A replay goes on to the greatest event time; up to where a run has come both say the same."""
    assert {identity: lines[:len(ours[identity])] for identity, lines in versions.items() if identity in ours} == ours


def milliseconds(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


@pytest.fixture
def load(binary, topics, writer, reader, forestall, write_config, tmp_path):
    return lambda exchange="local", **idle_lags: Load(binary, topics, writer, reader, forestall, write_config, tmp_path,
                                                      exchange, idle_lags)


@pytest.mark.parametrize("disturb", [None, "stop", "kill"])
def test_a_quiet_partition_is_marked(load, disturb):
    """The active one is of a topic that is never idle, so that the clock has no say."""
    run = load(active="never", quiet="1s")
    run.send(QUIET, 30)
    run.send(ACTIVE, *range(0, 270, 10))
    run.start()
    harness.wait_until(lambda: run.closed() == {("p1", 0), *(("p0", n) for n in range(4))}, "four minutes")
    assert run.late() == []
    if disturb is not None:
        run.process.stop() if disturb == "stop" else run.process.kill()
        run.start()
    run.send(QUIET, 150)  # later than all its partition has seen; below the mark, for minute 3 is closed
    harness.wait_until(lambda: run.late() == [START_MS + 150 * SECOND_MS], "a late event")
    run.send(QUIET, 310)
    run.send(ACTIVE, *range(270, 510, 10))
    harness.wait_until(lambda: {("p1", 5), ("p0", 7)} <= run.closed(), "eight minutes")
    assert run.process.stop() == 0
    assert run.closed() == {("p1", 0), ("p1", 5), *(("p0", n) for n in range(8))}
    assert len(run.late()) == 1
    versions, late = run.replay()
    assert late == 1
    assert_begins_with(versions, run.versions())


def test_when_all_are_quiet_the_clock_moves_time(load):
    run = load(active="1s", quiet="1s")
    run.send(QUIET, 30)
    run.send(ACTIVE, 200)
    run.start()
    harness.wait_until(lambda: run.closed() >= {("p1", 0), ("p0", 3)}, "the last windows")
    run.send(ACTIVE, 400)
    run.send(QUIET, 400)
    harness.wait_until(lambda: len(run.late()) == 2, "two late events")
    assert run.process.stop() == 0
    versions, late = run.replay()
    assert late == 2
    assert versions == run.versions()


def test_idle_lag_never_waits_for_the_quiet_one(load):
    run = load(active="never", quiet="never")
    run.send(QUIET, 30)
    run.send(ACTIVE, 0)
    run.start()
    run.send(ACTIVE, *range(10, 1200, 10))
    run.read_so_far()
    assert run.closed() == set()
    run.send(QUIET, 191)
    harness.wait_until(lambda: run.closed() == {("p1", 0), ("p0", 0), ("p0", 1), ("p0", 2)}, "three minutes")
    run.send(QUIET, 182, 600)
    harness.wait_until(lambda: {("p1", 3), ("p0", 8)} <= run.closed(), "nine minutes")
    assert run.late() == []
    assert run.process.stop() == 0
    ours = run.versions()
    versions, late = run.replay()
    assert late == 0
    assert_begins_with(versions, ours)


@pytest.mark.parametrize("exchange, disturb, held", [
    ("local", None, "nothing"), ("local", "kill", "nothing"), ("local", "kill", "no event"), ("kafka", None, "no event"),
    ("kafka", "kill", "nothing")])
def test_a_partition_that_never_held_an_event_does_not_hold_time_back(load, exchange, disturb, held):
    run = load(exchange, active="never", quiet="never")
    run.start()
    run.send(ACTIVE, *range(0, 310, 10))
    harness.wait_until(lambda: {("p0", n) for n in range(4)} <= run.closed(), "four minutes")
    if held != "nothing":
        run.writer.bytes(run.topics[QUIET], held.encode())
        run.writer.flush()
        run.letters.count(1)
    run.send(ACTIVE, *range(310, 610, 10))
    harness.wait_until(lambda: {("p0", n) for n in range(9)} <= run.closed(), "nine minutes")
    if disturb is not None:
        run.process.kill()
        run.start()
    run.send(ACTIVE, *range(610, 730, 10))
    harness.wait_until(lambda: ("p0", 10) in run.closed(), "eleven minutes")
    run.send(QUIET, 300)
    harness.wait_until(lambda: run.late() == [START_MS + 300 * SECOND_MS], "a late event")
    run.send(QUIET, 800)
    run.send(ACTIVE, *range(730, 900, 10))
    harness.wait_until(lambda: ("p0", 12) in run.closed(), "thirteen minutes")
    assert run.process.stop() == 0
    ours = run.versions()
    versions, late = run.replay()
    assert late == 1
    assert_begins_with(versions, ours)


@pytest.mark.parametrize("exchange", ["local", "kafka"])
def test_a_partition_that_is_added_begins_at_the_time_that_was_reached(load, topics, exchange):
    """Which is not waited for where the group's assignment is of before."""
    run = load(exchange, active="never")
    topic = run.topics[ACTIVE]
    run.start()
    run.send(ACTIVE, *range(0, 310, 10))
    harness.wait_until(lambda: {("p0", n) for n in range(4)} <= run.closed(), "four minutes")
    assert run.process.stop() == 0
    topics.admin.create_partitions([confluent_kafka.admin.NewPartitions(topic, 2)])[topic].result(harness.TIMEOUT_SECONDS)
    known = run.writer.producer.list_topics
    harness.wait_until(lambda: len(known(topic, harness.TIMEOUT_SECONDS).topics[topic].partitions) == 2, "the partition")
    run.send(ACTIVE, 100, 320, 500, partition=1)
    run.send(ACTIVE, *range(310, 510, 10))
    run.start()
    harness.wait_until(lambda: {("p1", 5), *(("p0", n) for n in range(7))} <= run.closed(), "seven minutes")
    assert run.process.stop() == 0
    assert run.late() == [START_MS + 100 * SECOND_MS]
    ours = run.versions()
    versions, late = run.replay()
    assert late == 1
    assert_begins_with(versions, ours)


def transaction(bootstrap, topics, topic, *events, abort=False):
    """As upstream programs write that commit exactly once."""
    producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "transactional.id": topics.name("upstream")})
    producer.init_transactions(harness.TIMEOUT_SECONDS)
    producer.begin_transaction()
    for event in events:
        producer.produce(topic, json.dumps(event).encode(), partition=0)
    if abort:
        producer.flush(harness.TIMEOUT_SECONDS)
        producer.abort_transaction(harness.TIMEOUT_SECONDS)
    else:
        producer.commit_transaction(harness.TIMEOUT_SECONDS)


@pytest.mark.parametrize("exchange", ["local", "kafka"])
def test_retention_takes_a_quiet_partition_whole(load, bootstrap, topics, exchange):
    """Its log ends with a transaction's marker and an aborted record, which nobody is given; the position is behind them."""
    run = load(exchange, active="never", quiet="1s")
    topic = run.topics[QUIET]
    event = {"service": "p1", "name": "n", "value": 1, "occurred_at": START_MS}
    transaction(bootstrap, topics, topic, event)
    transaction(bootstrap, topics, topic, event, abort=True)
    run.send(ACTIVE, *range(0, 1810, 10))  # so far that nothing of the quiet one is to be read again
    run.start()
    member = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": topics.name("forestall")})
    place = confluent_kafka.TopicPartition(topic, 0)
    _, end = member.get_watermark_offsets(place, harness.TIMEOUT_SECONDS)
    assert end == 4

    def committed():
        return member.committed([place], timeout=harness.TIMEOUT_SECONDS)[0].offset

    harness.wait_until(lambda: committed() == end, "the position at the log's end")
    assert run.process.stop() == 0
    left = confluent_kafka.TopicPartition(topic, 0, end)
    for deleted in topics.admin.delete_records([left]).values():
        deleted.result(harness.TIMEOUT_SECONDS)
    run.start()
    transaction(bootstrap, topics, topic, {**event, "occurred_at": START_MS + 1900 * SECOND_MS})
    run.send(ACTIVE, *range(1810, 2200, 10))
    harness.wait_until(lambda: {("p1", 0), ("p1", 31), ("p0", 34)} <= run.closed(), "the window of what came after")
    assert run.process.stop() == 0
    assert run.late() == []
    member.close()


def marks_of(marks, topic):
    """The offsets of a topic's marks that are there, and of each that was taken off."""
    there, gone = set(), []
    marks.drain()
    for record in marks.records:
        offset = int.from_bytes(record.key[-8:], "big")
        if topic.encode() in record.key and record.value is not None:
            there.add(offset)
        elif topic.encode() in record.key:
            there.discard(offset)
            gone.append(offset)
    return there, gone


def test_marks_go_with_the_records_that_they_stand_between(load, topics, reader):
    """But for the last of them: a replay of what is left judges by it, and so does whoever starts again."""
    run = load("kafka", active="never", quiet="1s")
    marks = reader(f"{topics.name('forestall')}-marks")
    run.start()
    for number in range(3):
        second = 240 * number
        run.send(QUIET, second + 30)
        run.send(ACTIVE, *range(second, second + 250, 10))
        harness.wait_until(lambda: ("p0", 4 * number + 2) in run.closed(), "three minutes more")
    assert run.process.stop() == 0
    assert marks_of(marks, run.topics[QUIET]) == ({1, 2, 3}, [])
    gone = confluent_kafka.TopicPartition(run.topics[QUIET], 0, 3)
    topics.admin.delete_records([gone])[gone].result(harness.TIMEOUT_SECONDS)
    run.start()
    harness.wait_until(lambda: marks_of(marks, run.topics[QUIET]) == ({3}, [1, 2]), "two marks fewer")
    run.process.kill()
    run.start()
    run.send(QUIET, 550)
    harness.wait_until(lambda: run.late() == [START_MS + 550 * SECOND_MS], "a late event")
    assert run.process.stop() == 0
    assert marks_of(marks, run.topics[QUIET])[1] == [1, 2]  # once
    assert run.replay()[1] == 1
