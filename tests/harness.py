"""What the tests of the running program share: the process itself, topics, records in, records out.

Everything waits for a condition with a deadline; nothing sleeps for a time that was hoped to be enough. conftest.py
hands these out as fixtures.
"""

import dataclasses
import io
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import uuid

import confluent_kafka
import confluent_kafka.admin
import fastavro

SOURCE = pathlib.Path(os.environ.get("TEST_SOURCE", pathlib.Path(__file__).parent.parent))
POLL_SECONDS = 0.05
TIMEOUT_SECONDS = 60


def wait_until(condition, what, timeout=TIMEOUT_SECONDS):
    """Returns the first true value of condition(); after `timeout` seconds the test fails, naming `what`."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"after {timeout} s still waiting for {what}"
        time.sleep(POLL_SECONDS)


class Forestall:
    """A `forestall` process whose output goes to a log file, over restarts too.

    Usable as a context manager, which kills what still runs at its end.
    """

    def __init__(self, binary, arguments, log, env=None):
        self.command = [str(binary), *map(str, arguments)]
        self.log_path = pathlib.Path(log)
        self.env = {**os.environ, **(env or {})}
        self.process = None
        self.started_at = 0  # the log's size when the present process started

    def start(self):
        assert self.process is None or self.process.poll() is not None, "it runs already"
        with open(self.log_path, "ab") as log:
            self.started_at = log.tell()
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env)
        return self

    @property
    def log(self):
        """What the present process, or the last one, has written."""
        data = self.log_path.read_bytes() if self.log_path.exists() else b""
        return data[self.started_at:].decode(errors="replace")

    def running(self):
        return self.process is not None and self.process.poll() is None

    def wait_for_log(self, pattern, timeout=TIMEOUT_SECONDS):
        """Waits until a line of the present process's log matches; returns the match. Fails when the process ends first."""
        expression = re.compile(pattern, re.MULTILINE)

        def found():
            running = self.running()
            match = expression.search(self.log)
            assert match or running, f"it ended with {self.process.returncode} before /{pattern}/:\n{self.log}"
            return match

        try:
            return wait_until(found, f"/{pattern}/ in the log", timeout)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.log}") from None

    def wait(self, timeout=TIMEOUT_SECONDS):
        """Waits for the process to end by itself; returns its exit status."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it still runs after {timeout} s:\n{self.log}") from None

    def stop(self, timeout=TIMEOUT_SECONDS):
        """Asks it to end (SIGTERM) and returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        """kill -9, as a crash would."""
        if self.running():
            self.process.kill()
            self.process.wait()

    def restart(self):
        self.kill()
        return self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()


class Topics:
    """Makes topics under names that no other test uses, and removes them at the end."""

    def __init__(self, bootstrap, **client):
        self.admin = confluent_kafka.admin.AdminClient(
            {"bootstrap.servers": bootstrap, "allow.auto.create.topics": False, **client})
        self.unique = uuid.uuid4().hex[:8]
        self.made = []

    def name(self, name):
        """The unique form of a name, for topics (and application ids) that the program itself makes."""
        return f"{name}-{self.unique}"

    def create(self, name, partitions=1, **config):
        """Creates a topic and returns its name. Settings are given with _ for the dots: cleanup_policy="compact"."""
        full = self.name(name)
        settings = {"message.timestamp.type": "LogAppendTime"}
        settings.update({key.replace("_", "."): str(value) for key, value in config.items()})
        topic = confluent_kafka.admin.NewTopic(full, num_partitions=partitions, replication_factor=-1, config=settings)
        self.admin.create_topics([topic])[full].result(TIMEOUT_SECONDS)
        wait_until(lambda: len(self.partitions(full)) == partitions, f"topic {full}")
        self.made.append(full)
        return full

    def partitions(self, topic):
        metadata = self.admin.list_topics(topic, timeout=TIMEOUT_SECONDS).topics[topic]
        return sorted(metadata.partitions) if metadata.error is None else []

    def remove(self):
        known = self.admin.list_topics(timeout=TIMEOUT_SECONDS).topics
        ours = [topic for topic in known if topic in self.made or self.unique in topic]
        if ours:
            for done in self.admin.delete_topics(ours).values():
                done.result(TIMEOUT_SECONDS)


class Writer:
    """Produces records and knows that each has arrived (`flush`)."""

    def __init__(self, bootstrap):
        self.producer = confluent_kafka.Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "enable.idempotence": True,
                                                  "allow.auto.create.topics": False})
        self.failures = []

    def bytes(self, topic, value, key=None, partition=None, headers=None):
        place = {} if partition is None else {"partition": partition}
        while True:
            try:
                self.producer.produce(topic, value=value, key=key, headers=headers, on_delivery=self._delivered, **place)
                return
            except BufferError:
                self.producer.poll(POLL_SECONDS)

    def json(self, topic, record, **options):
        self.bytes(topic, json.dumps(record).encode(), **options)

    def avro(self, topic, stream, record, schema_id=None, **options):
        """The record by schemas/<stream>.avsc: bare, or with the Confluent frame when a schema id is given."""
        frame = b"" if schema_id is None else b"\0" + schema_id.to_bytes(4, "big")
        self.bytes(topic, frame + avro_bytes(stream, record), **options)

    def flush(self):
        left = self.producer.flush(TIMEOUT_SECONDS)
        assert left == 0 and not self.failures, f"{left} records not delivered, {self.failures[:3]}"

    def _delivered(self, error, _message):
        if error is not None:
            self.failures.append(str(error))


@dataclasses.dataclass(frozen=True)
class Record:
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict
    timestamp_ms: int

    @property
    def text_key(self):
        return None if self.key is None else self.key.decode()

    @property
    def json(self):
        return None if self.value is None else json.loads(self.value)


class Reader:
    """Reads a topic from its beginning, only what is committed, in the order of each partition.

    `client` holds further settings of the Kafka client."""

    def __init__(self, bootstrap, topic, isolation="read_committed", **client):
        self.topic = topic
        self.records = []
        self.consumer = confluent_kafka.Consumer({
            "bootstrap.servers": bootstrap, "group.id": f"reader-{uuid.uuid4().hex}", "isolation.level": isolation,
            "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "earliest",
            **client,
        })
        metadata = self.consumer.list_topics(topic, timeout=TIMEOUT_SECONDS).topics[topic]
        assert metadata.error is None, f"topic {topic}: {metadata.error}"
        self.next = dict.fromkeys(metadata.partitions, confluent_kafka.OFFSET_BEGINNING)
        self.at_end = set()
        self._assign()

    def _assign(self):
        self.at_end.clear()
        self.consumer.assign([confluent_kafka.TopicPartition(self.topic, *place) for place in self.next.items()])

    def poll(self):
        """Takes what comes within a moment."""
        message = self.consumer.poll(POLL_SECONDS)
        if message is None:
            return
        if message.error() is not None:
            assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
            self.at_end.add(message.partition())
            return
        self.at_end.discard(message.partition())
        # What was fetched before `drain` assigned anew may come once more.
        if message.offset() < self.next[message.partition()]:
            return
        self.next[message.partition()] = message.offset() + 1
        self.records.append(Record(
            message.topic(), message.partition(), message.offset(), message.key(), message.value(),
            dict(message.headers() or []), message.timestamp()[1]))

    def until(self, condition, what="records", timeout=TIMEOUT_SECONDS):
        """Reads on until condition(records) holds; returns the records."""
        deadline = time.monotonic() + timeout
        while not condition(self.records):
            assert time.monotonic() < deadline, (
                f"after {timeout} s still waiting for {what} on {self.topic}; {len(self.records)} records so far, "
                f"the last: {[record.value for record in self.records[-3:]]}")
            self.poll()
        return self.records

    def count(self, count, timeout=TIMEOUT_SECONDS):
        return self.until(lambda records: len(records) >= count, f"{count} records", timeout)

    def drain(self, timeout=TIMEOUT_SECONDS):
        """Reads everything that is committed at this moment; returns the records."""
        # A partition's end is announced once an assignment.
        self._assign()
        return self.until(lambda _: self.at_end == set(self.next), "the end", timeout)

    def newest(self):
        """The last record of each key, as a compacted topic keeps it; keys whose last record is a tombstone are left out."""
        last = {record.key: record for record in self.records}
        return {record.text_key: record for record in last.values() if record.value is not None}

    def close(self):
        self.consumer.close()


_schemas = {}


def avro_schema(stream):
    if stream not in _schemas:
        _schemas[stream] = fastavro.schema.load_schema(str(SOURCE / "schemas" / f"{stream}.avsc"))
    return _schemas[stream]


def avro_bytes(stream, record):
    """A record as bare Avro, written by fastavro, an implementation that is not ours."""
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, avro_schema(stream), record)
    return buffer.getvalue()


def merge(into, changes):
    """Merges nested maps; a value of None removes the key."""
    for key, value in changes.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
    return into
