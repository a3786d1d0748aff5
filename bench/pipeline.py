"""The pipeline bench: `forestall run` against a bare librdkafka consumer on the same topic, in turns.

A topic of four partitions is filled once by `forestall gen`, then a few events of a later time are added, so that every
window over the others closes. In each round the bare consumer reads it all, then `forestall run` does, exactly once, with
new state under a new application id. Its time runs from the log line just before its first fetch until the group's
committed positions have passed every event but the late few: by then all windows are evaluated and all results committed.
Prints each round, then medians and spread.
"""

import argparse
import datetime
import pathlib
import re
import resource
import signal
import statistics
import subprocess
import sys
import time

import confluent_kafka
import confluent_kafka.admin

PARTITIONS = 4
CLOSING_EVENTS = 200
POLL_SECONDS = 0.01
SECONDS_MAX = 1800

CONFIGURATION = """\
application_id: {name}
kafka: {{bootstrap.servers: "{bootstrap}"}}
sources:
  - {{topic: {topic}, stream: telemetry, format: avro, schema: {schema}, framing: none}}
rules: [{rules}]
time: {{idle_lag: never}}
state: {{dir: {state}}}
"""


def fail(text):
    sys.exit(f"pipeline: error: {text}")


def run(*command):
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def ends(bootstrap, topic):
    """The log's end of each partition."""
    client = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-ends"})
    found = [client.get_watermark_offsets(confluent_kafka.TopicPartition(topic, i), timeout=10)[1] for i in range(PARTITIONS)]
    client.close()
    return found


def fill(options, topic):
    """Makes and fills the topic; returns its partitions' ends before the closing events."""
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": options.bootstrap})
    new = confluent_kafka.admin.NewTopic(topic, PARTITIONS, 1, config={"message.timestamp.type": "LogAppendTime"})
    admin.create_topics([new])[topic].result(30)
    end = datetime.datetime(2026, 1, 31, tzinfo=datetime.timezone.utc)
    common = [options.forestall, "gen", "--scenario", "telemetry", "--topic", topic, "--bootstrap", options.bootstrap,
              "--format", "avro", "--seed", options.seed]
    run(*common, "--events", options.events, "--services", options.services, "--rate", options.rate, "--end", end.isoformat())
    filled = ends(options.bootstrap, topic)
    later = end + datetime.timedelta(minutes=30)
    run(*common, "--events", CLOSING_EVENTS, "--services", CLOSING_EVENTS, "--rate", 1000, "--end", later.isoformat())
    return filled


def bare(options, topic):
    """Events a second of the bare consumer, and bytes an event."""
    records, size, seconds = run(options.consumer, options.bootstrap, topic).split()
    return int(records) / float(seconds), int(size) / int(records), int(records)


def log_time(line):
    text = re.search(r"time=(\S+)", line).group(1)
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Forestall:
    """One `forestall run` from a new start."""

    def __init__(self, options, topic, number):
        self.options, self.topic = options, topic
        self.name = f"{topic}-{number}"
        self.folder = pathlib.Path(options.folder) / self.name
        self.folder.mkdir()
        self.config = self.folder / "forestall.yaml"
        root = pathlib.Path(__file__).parent.parent
        self.config.write_text(CONFIGURATION.format(
            name=self.name, bootstrap=options.bootstrap, topic=topic, schema=root / "schemas/telemetry.avsc",
            rules=pathlib.Path(options.rules).resolve(), state=self.folder / "state"))
        self.log = self.folder / "log"

    def lines(self, text):
        return [line for line in self.log.read_text().splitlines() if text in line]

    def started(self):
        """When the first fetch was about to go out; None while it was not."""
        found = self.lines('msg="first start')
        return log_time(found[0]) if found else None

    def wait(self, process, filled):
        """Waits until the positions have passed `filled`; returns when that was seen."""
        group = confluent_kafka.Consumer({"bootstrap.servers": self.options.bootstrap, "group.id": self.name})
        wanted = [confluent_kafka.TopicPartition(self.topic, i) for i in range(PARTITIONS)]
        deadline = time.time() + SECONDS_MAX
        try:
            while True:
                if process.poll() is not None or time.time() > deadline:
                    fail(f"forestall run did not get through:\n{self.log.read_text()[-3000:]}")
                if self.started() is None:
                    time.sleep(POLL_SECONDS)
                    continue
                try:
                    positions = group.committed(wanted, timeout=10)
                except confluent_kafka.KafkaException:
                    continue
                if all(position.offset >= end for position, end in zip(positions, filled)):
                    return time.time()
                time.sleep(POLL_SECONDS)
        finally:
            group.close()

    def measure(self, filled, events):
        """Events a second, CPU seconds a million events, peak memory in MiB."""
        run(self.options.forestall, "topics", "create", "-c", self.config)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with open(self.log, "w") as log:
            process = subprocess.Popen([*self.options.under, self.options.forestall, "run", "-c", self.config], stderr=log)
        try:
            done = self.wait(process, filled)
            peak = re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        counters = dict(re.findall(r"(\w+)=(\S+)", self.lines("stopped")[-1]))
        for name, wanted in (("events", str(events)), ("late", "0"), ("undecodable", "0")):
            if counters.get(name) != wanted:
                fail(f"{name} is {counters.get(name)}, not {wanted}: {self.lines('stopped')[-1]}")
        return events / (done - self.started()), cpu / events * 1e6, int(peak.group(1)) / 1024, counters


def spread(values):
    return f"{min(values):,.2f} to {max(values):,.2f}" if max(values) < 100 else f"{min(values):,.0f} to {max(values):,.0f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--forestall", required=True)
    parser.add_argument("--consumer", required=True)
    parser.add_argument("--folder", required=True, help="an empty folder for states and logs")
    parser.add_argument("--rules", default=pathlib.Path(__file__).parent / "rules.yaml")
    parser.add_argument("--events", type=int, default=5000000)
    parser.add_argument("--services", type=int, default=200)
    parser.add_argument("--rate", type=int, default=8000, help="events a second of event time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--under", default="", help="a program that the processor runs under, such as 'perf record -g'")
    options = parser.parse_args()
    options.under = options.under.split()
    topic = f"bench-{int(time.time())}"
    began = time.time()
    filled = fill(options, topic)
    print(f"{sum(filled):,} telemetry events, {options.services:,} services, {options.rate:,} a second of event time, "
          f"{PARTITIONS} partitions, seed {options.seed}; filled in {time.time() - began:.0f} s", flush=True)
    rates, ratios = {"bare": [], "forestall": []}, []
    cpus, peaks = [], []
    for number in range(1, options.rounds + 1):
        bare_rate, size, records = bare(options, topic)
        rate, cpu, peak, counters = Forestall(options, topic, number).measure(filled, records)
        rates["bare"].append(bare_rate)
        rates["forestall"].append(rate)
        ratios.append(rate / bare_rate)
        cpus.append(cpu)
        peaks.append(peak)
        print(f"round {number}: bare {bare_rate:,.0f}/s, forestall {rate:,.0f}/s, ratio {ratios[-1]:.2f}; "
              f"{cpu:.2f} us CPU an event, {peak:.0f} MiB at most; {size:.0f} bytes an event, "
              f"{counters['evaluations']} evaluations, {counters['commits']} commits", flush=True)
    for name, values in rates.items():
        print(f"{name:9} median {statistics.median(values):,.0f} events/s ({spread(values)})")
    print(f"ratio     median {statistics.median(ratios):.2f} ({spread(ratios)}); CPU median {statistics.median(cpus):.2f} us "
          f"an event; memory {max(peaks):.0f} MiB at most")


main()
