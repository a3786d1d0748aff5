"""What the benches share: lines of the table, topics, the load, a process under measure, `forestall run` under measure."""

import argparse
import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time

import confluent_kafka
import confluent_kafka.admin

ROOT = pathlib.Path(__file__).resolve().parent.parent
HERE = ROOT / "bench"
BIN = ROOT / "build" / "release"
PARTITIONS = 4
CPUS = len(os.sched_getaffinity(0))
CLOSING_EVENTS = 200
POLL_SECONDS = 0.02
SECONDS_MAX = 3600
KNOWN_SECONDS_MAX = 60
QUIET_SECONDS = 10  # no new results for so long, after all was read: it is done
BUSY_PART = 0.5  # of a CPU: who takes more does not rest
MINUTE_MS = 60_000
START_MS = int(datetime.datetime(2026, 1, 31, tzinfo=datetime.timezone.utc).timestamp() * 1000)
FIVE_MINUTES = tuple(f":{minute:02}:00.000Z" for minute in range(0, 60, 5))
COUNTED = 1_000_000_000  # of bench/query.yaml: a figure is so much for each event, and the sum of their values
VALUES = 1000  # of load_bench.c: event i has the value i mod VALUES

CONFIGURATION = """\
application_id: {name}
kafka: {{bootstrap.servers: "{bootstrap}"}}
sources:
  - {{topic: {topic}, stream: telemetry, format: avro, schema: {schema}, framing: none{source}}}
outputs: {{scorecards: {{topic: {name}-scorecards}}, recommendations: {{topic: {name}-recommendations}}}}
rules: [{rules}]
{more}
state: {{dir: {state}, memory: {memory}}}
"""


def fail(text):
    sys.exit(f"bench: error: {text}")


@dataclasses.dataclass
class Line:
    """One line of the table: a figure of each round, and what it is against another line's."""

    name: str
    unit: str
    values: list  # empty: not available, for the reason that `note` gives
    note: str = ""
    ratio: str = ""
    missed: str = ""  # a bound that the figure did not keep
    command: str = ""

    def median(self):
        return statistics.median(self.values)

    def as_json(self):
        record = dataclasses.asdict(self)
        if self.values:
            record |= {"median": self.median(), "min": min(self.values), "max": max(self.values)}
        return record


def ratio_of(values, base, to):
    """The median, least and greatest ratio of figures measured in turns."""
    ratios = [value / other for value, other in zip(values, base)]
    return f"{statistics.median(ratios):.2f} of {to} ({min(ratios):.2f} to {max(ratios):.2f})"


def figure(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"


def run(*command):
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done.stdout


def number(text):
    """A whole number for argparse, with _ or , between its digits if need be."""
    value = int(text.replace(",", "").replace("_", ""))
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


class Process:
    """A process under measure, its output in a file."""

    started = []

    @classmethod
    def stop_all(cls):
        for each in cls.started:
            each.stop(signal.SIGKILL)

    def __init__(self, command, log, env=None):
        self.log_path = pathlib.Path(log)
        with open(self.log_path, "ab") as out:
            self.process = subprocess.Popen([str(each) for each in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            env={**os.environ, **(env or {})})
        self.pid = self.process.pid
        self.started.append(self)

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def check(self):
        if self.process.poll() is not None:
            fail(f"it ended with {self.process.returncode}:\n{self.log[-3000:]}")

    def _status(self, name):
        found = re.search(rf"{name}:\s+(\d+)", pathlib.Path(f"/proc/{self.pid}/status").read_text())
        return int(found.group(1)) / 1024

    def peak_mib(self):
        """The most memory that it ever had resident."""
        return self._status("VmHWM")

    def resident_mib(self):
        return self._status("VmRSS")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


def wait(condition, process, what):
    """Returns the first true value of condition()."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        value = condition()
        if value:
            return value
        process.check()
        if time.monotonic() > deadline:
            fail(f"after {SECONDS_MAX} s still waiting for {what}:\n{process.log[-3000:]}")
        time.sleep(POLL_SECONDS)


class Kafka:
    """The topics of one bench, on a Kafka beside it."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = confluent_kafka.admin.AdminClient(
            {"bootstrap.servers": bootstrap, "log_level": 0, "allow.auto.create.topics": False})

    def create(self, topic, partitions=PARTITIONS):
        new = confluent_kafka.admin.NewTopic(topic, partitions, 1, config={"message.timestamp.type": "LogAppendTime"})
        self.admin.create_topics([new])[topic].result(60)
        # The broker answers before it knows of the topic itself.
        deadline = time.monotonic() + KNOWN_SECONDS_MAX
        while len(self.admin.list_topics(topic, timeout=30).topics[topic].partitions) != partitions:
            if time.monotonic() > deadline:
                fail(f"topic {topic} is not there {KNOWN_SECONDS_MAX} s after it was made")
            time.sleep(POLL_SECONDS)

    def delete(self, *topics):
        known = self.admin.list_topics(timeout=30).topics
        for done in self.admin.delete_topics([each for each in topics if each in known]).values() if topics else ():
            done.result(60)

    def delete_of(self, prefix):
        self.delete(*[each for each in self.admin.list_topics(timeout=30).topics if each.startswith(prefix)])

    def _consumer(self, group="bench-reader", **more):
        return confluent_kafka.Consumer({
            "bootstrap.servers": self.bootstrap, "group.id": group, "log_level": 0, "isolation.level": "read_committed",
            "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "earliest", **more})

    def consumer(self, topic, **more):
        """A consumer of what is committed, from the topic's beginning on."""
        client = self._consumer(**more)
        client.assign(self.partitions(topic))
        return client

    def partitions(self, topic):
        found = self.admin.list_topics(topic, timeout=30).topics[topic]
        return [confluent_kafka.TopicPartition(topic, each, confluent_kafka.OFFSET_BEGINNING) for each in found.partitions]

    def ends(self, topic):
        """The log's end of each partition."""
        client = self._consumer()
        try:
            return [client.get_watermark_offsets(each, timeout=30)[1] for each in self.partitions(topic)]
        finally:
            client.close()

    @contextlib.contextmanager
    def positions(self, group, topic):
        """Gives a function that asks for the group's committed positions; None while the broker does not answer."""
        client = self._consumer(group)
        wanted = self.partitions(topic)

        def ask():
            try:
                return [each.offset for each in client.committed(wanted, timeout=30)]
            except confluent_kafka.KafkaException:
                return None

        try:
            yield ask
        finally:
            client.close()

    def records(self, topic):
        """Every committed record: key, value and the time in milliseconds at which the broker appended it."""
        client = self._consumer()
        wanted = self.partitions(topic)
        client.assign(wanted)
        left = len(wanted)
        while left > 0:
            for message in client.consume(10000, 1):
                if message.error() is None:
                    yield message.key(), message.value(), message.timestamp()[1]
                elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    left -= 1
                else:
                    fail(message.error())
        client.close()


def bare(kafka, topic):
    """Events a second of a bare librdkafka consumer."""
    records, _, seconds = run(BIN / "consumer_bench", kafka.bootstrap, topic).split()
    return int(records) / float(seconds)


@dataclasses.dataclass
class Load:
    """A topic filled by load_bench.c: what was written, and up to where windows must be evaluated."""

    topic: str
    events: int
    groups: int
    rate: int
    bytes: int
    seconds: float
    ends: list  # of each partition, before the few events of a later time that close all windows
    values: int  # the sum of all events' values

    def describe(self):
        partial = max(1, self.rate * 60 / self.groups)
        return (f"{self.events:,} events of {self.bytes / self.events:.0f} bytes, {self.groups:,} groups, {PARTITIONS} partitions, "
                f"{self.rate:,} events a second of event time ({partial:,.0f} a partial)")


def wait_committed(kafka, group, topic, ends, process, enough=lambda: False):
    """Waits until the group's committed positions have passed `ends`, or enough() says so; returns how many records they
    have passed."""
    passed = 0
    with kafka.positions(group, topic) as positions:
        def done():
            nonlocal passed
            now = positions()
            if now is None:
                return False
            passed = sum(max(0, each) for each in now)
            return all(each >= end for each, end in zip(now, ends)) or enough()
        wait(done, process, "the committed positions")
    return passed


def wait_quiet(kafka, topic, process, enough=lambda: False):
    """Waits until nothing more is appended to the topic and the process rests, or enough() says so; returns when the last
    was appended. One that sorts what waits on its disk appends nothing for a while, and is not done."""
    ends, since, last = None, time.monotonic(), time.time()
    looked, cpu = since, process.cpu_seconds()
    while time.monotonic() - since < QUIET_SECONDS and not enough():
        now, cpu_before, looked_before = kafka.ends(topic), cpu, looked
        looked, cpu = time.monotonic(), process.cpu_seconds()
        busy = cpu - cpu_before > BUSY_PART * (looked - looked_before)
        if now != ends or busy:
            since = time.monotonic()
        if now != ends:
            ends, last = now, time.time()
        time.sleep(0.5)
        process.check()
    return last


def load_events(kafka, topic, groups, events, rate, start_ms, *more):
    said = run(BIN / "load_bench", kafka.bootstrap, topic, PARTITIONS, groups, events, rate, start_ms, *more).split()
    return int(said[1]), float(said[2])


def fill(kafka, topic, groups, events, rate):
    """Makes and fills a topic. The events that close all windows are later than the others by half an hour."""
    kafka.create(topic)
    size, seconds = load_events(kafka, topic, groups, events, rate, START_MS)
    whole, rest = divmod(events, VALUES)
    load = Load(topic, events, groups, rate, size, seconds, kafka.ends(topic),
                whole * VALUES * (VALUES - 1) // 2 + rest * (rest - 1) // 2)
    load_events(kafka, topic, min(groups, 1600), CLOSING_EVENTS, 1000, START_MS + events * 1000 // rate + 30 * MINUTE_MS)
    print(f"# {load.describe()}; written in {seconds:.0f} s", file=sys.stderr, flush=True)
    return load


class Forestall:
    """One instance of `forestall run` from a new start; `name` is its application id. `source` is more of its source's
    settings, `more` of the configuration's."""

    def __init__(self, kafka, load, folder, name, rules, *, source="", more="time: {idle_lag: never}", memory="256MiB",
                 instance=""):
        self.kafka, self.load, self.name = kafka, load, name
        self.folder = pathlib.Path(folder) / (name + instance)
        self.folder.mkdir()
        self.state = self.folder / "state"
        self.config = self.folder / "forestall.yaml"
        self.config.write_text(CONFIGURATION.format(
            name=name, bootstrap=kafka.bootstrap, topic=load.topic, schema=ROOT / "schemas/telemetry.avsc",
            rules=rules, source=source, more=more, memory=memory, state=self.state))
        self.process = None

    def start(self, under=()):
        run(BIN / "forestall", "topics", "create", "-c", self.config)
        self.process = Process([*under, BIN / "forestall", "run", "-c", self.config], self.folder / f"log-{time.monotonic_ns()}")

    def lines(self, text):
        return [line for line in self.process.log.splitlines() if text in line]

    def wait_line(self, text):
        """When the log first said so, in seconds of the clock."""
        return log_time(wait(lambda: self.lines(text), self.process, f"'{text}'")[0])

    def started(self):
        """When the first fetch was about to go out."""
        return self.wait_line('msg="first start')

    def wait_committed(self, ends):
        """Waits until the committed positions have passed `ends`; returns when that was seen."""
        wait_committed(self.kafka, self.name, self.load.topic, ends, self.process)
        return time.time()

    def stop(self, under=False):
        """Ends it in good order; returns its counters. What it runs under may end in its own way."""
        if self.process.stop() != 0 and not under:
            fail(f"forestall run ended with {self.process.process.returncode}:\n{self.process.log[-3000:]}")
        workers = [dict(re.findall(r"(\w+)=(\S+)", line)) for line in self.lines("msg=stopped")]
        return {name: sum(int(each[name]) for each in workers) for name, value in workers[0].items() if value.isdecimal()}

    def counted(self):
        """What the published scorecards of bench/query.yaml say: how many events were counted, the sum of their values,
        and when the last was appended, in milliseconds. Of the windows only those count that lie side by side."""
        events, total, last_ms = 0, 0, 0
        for _, value, appended_ms in self.kafka.records(f"{self.name}-scorecards"):
            card = json.loads(value)
            last_ms = max(last_ms, appended_ms)
            if card["window_to"].endswith(FIVE_MINUTES):
                count, of_values = divmod(int(card["value"] or 0), COUNTED)
                events += count
                total += of_values
        return events, total, last_ms

    def state_mib(self):
        return sum(each.stat().st_size for each in self.state.rglob("*") if each.is_file()) / 2**20

    def clean(self):
        self.kafka.delete_of(self.name)


def warm_up(session, load):
    """Has the topic read once, unmeasured. For its first minutes a broker's machine code is being made, on the same cores, at
    the cost of whoever is measured first."""
    bare(session.kafka, load.topic)
    own = Forestall(session.kafka, load, session.folder, f"{load.topic}-warm-up", HERE / "query.yaml",
                    more=f"time: {{idle_lag: never}}\nexchange: kafka\nworkers: {CPUS}")
    own.start()
    own.wait_committed(load.ends)
    own.stop()
    own.clean()


def log_time(line):
    text = re.search(r"time=(\S+)", line).group(1)
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
