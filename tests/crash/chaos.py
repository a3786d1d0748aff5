"""Kills instances and brokers at random while events pour in, and then compares what came of it with a replay.

Three brokers, of which one at most is down at a time; several instances, each with a state directory and rules of its
own. An instance that ends with status 1 and a reason is started again, as a service manager would. See load.py for what
pours in, verdict.py for the comparison.
"""

import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import confluent_kafka
import confluent_kafka.admin

import cluster
import harness
import load
import options
import trouble
import verdict

SETTLE_SECONDS_MAX = 240


class Teller:
    """What happens, with the time since the start, on standard error; on a terminal a line of figures below it."""

    def __init__(self):
        self.begun = time.monotonic()
        self.terminal = sys.stderr.isatty()

    def clock(self):
        seconds = int(time.monotonic() - self.begun)
        return f"{seconds // 60:3d}:{seconds % 60:02d}"

    def say(self, text):
        clear = "\r\x1b[K" if self.terminal else ""
        print(f"{clear}{self.clock()}  {text}", file=sys.stderr, flush=True)

    def progress(self, text):
        if self.terminal:
            print(f"\r\x1b[K{self.clock()}  {text}", end="", file=sys.stderr, flush=True)


class Run:
    """One run, from brokers to verdict."""

    def __init__(self, told, folder, teller):
        self.options, self.folder, self.teller = told, folder, teller
        self.binary = pathlib.Path(os.environ.get("TEST_BIN", pathlib.Path(__file__).parents[2] / "build/dev/forestall"))
        if not self.binary.exists():
            raise SystemExit(f"crash/run: error: {self.binary} does not exist: build it (cmake --preset dev && cmake "
                             "--build --preset dev), or name it by TEST_BIN")
        self.instances, self.rules = {}, {}

    def set_up(self):
        self.teller.say("starting three brokers")
        self.cluster = cluster.Cluster.create(self.folder / "kafka", 3)
        self.cluster.start()
        self.topics = harness.Topics(self.cluster.bootstrap, log_level=0)
        self.names = {stream: self.topics.create(stream, partitions=count) for stream, count in load.PARTITIONS.items()}
        self.config = self.folder / "forestall.yaml"
        self.write_rules(self.folder / "rules")
        self.outputs = {name: self.topics.name(name) for name in ("recommendations", "scorecards", "dead-letter")}
        self.group = self.topics.name("forestall")
        self.config.write_text(json.dumps({
            "application_id": self.group, "kafka": {"bootstrap.servers": self.cluster.bootstrap},
            "sources": [{"topic": topic, "stream": stream, "format": "json",
                         "out_of_orderness": f"{load.OUT_OF_ORDERNESS_SECONDS[stream]}s"}
                        for stream, topic in self.names.items()],
            "outputs": {"recommendations": {"topic": self.outputs["recommendations"], "format": "json"},
                        "scorecards": {"topic": self.outputs["scorecards"], "format": "json"},
                        "dead_letter": {"topic": self.outputs["dead-letter"]}},
            "rules": ["rules"], "state": {"dir": "state", "tasks": 6, "replication_factor": 3}, "exchange": "kafka",
            "workers": self.options.workers, "time": {"idle_lag": f"{load.IDLE_LAG_SECONDS}s"}, "commit_interval": "200ms",
        }, indent=2))
        done = subprocess.run([self.binary, "topics", "create", "-c", self.config], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        for n in range(self.options.instances):
            self.add_instance(f"instance {n + 1}")

    def write_rules(self, folder):
        folder.mkdir()
        (folder / "trouble.yaml").write_text(load.RULES)
        (folder / "cards.yaml").write_text(load.CARDS)
        return folder

    def add_instance(self, name):
        short = name.replace(" ", "-")
        folder = self.write_rules(self.folder / f"rules-{short}")
        self.rules[name] = folder / "trouble.yaml"
        self.instances[name] = harness.Forestall(
            self.binary, ["run", "-c", self.config], self.folder / f"{short}.log",
            {"FORESTALL_STATE__DIR": str(self.folder / f"state-{short}"), "FORESTALL_RULES__0": str(folder)}).start()

    def trouble(self):
        dice = random.Random(self.options.seed)
        self.recommended = []
        self.load = load.Load(self.cluster.bootstrap, self.names, self.options.rate, self.options.seed, self.recommended)
        self.made = trouble.Trouble(self.cluster, self.instances, self.rules, self.topics.admin, dice, self.teller)
        reader = harness.Reader(self.cluster.bootstrap, self.outputs["recommendations"], log_level=0)
        self.load.start()
        until = time.monotonic() + self.options.minutes * 60
        while time.monotonic() < until or self.made.going_on:
            self.made.look_after()
            if time.monotonic() < until:
                self.made.more()
            seen = len(reader.records)
            reader.poll()
            self.recommended.extend(record.text_key for record in reader.records[seen:])
            self.teller.progress(f"{self.load.written} records, {len(reader.records)} versions; " + ", ".join(
                f"{count} {what}" for what, count in self.made.counts.items()))
        self.load.stop()
        reader.close()
        self.ended_ms = int(time.time() * 1000)
        self.teller.say(f"the load has ended, {self.load.written} records")

    def everything_read(self):
        """The group's positions stand at the ends of the sources."""
        admin = self.topics.admin
        places = [confluent_kafka.TopicPartition(topic, n)
                  for topic in self.names.values() for n in self.topics.partitions(topic)]
        try:
            asked = admin.list_consumer_group_offsets([confluent_kafka.ConsumerGroupTopicPartitions(self.group, places)])
            found = asked[self.group].result(30).topic_partitions
            ends = admin.list_offsets({place: confluent_kafka.admin.OffsetSpec.latest() for place in places})
            positions = {(each.topic, each.partition): each.offset for each in found}
            return all(end.result(30).offset == max(0, positions[place.topic, place.partition])
                       for place, end in ends.items())
        except confluent_kafka.KafkaException:  # the group's coordinator has just moved
            return False

    def settle(self):
        """Everything is read, nothing is due any more, and everybody has stopped."""
        deadline = time.monotonic() + SETTLE_SECONDS_MAX
        while not self.everything_read():
            assert time.monotonic() < deadline, f"after {SETTLE_SECONDS_MAX} s not everything was read"
            self.made.look_after()
            time.sleep(0.2)
        self.teller.say("everything is read")
        quiet = self.ended_ms + load.SILENCE_AFTER_SECONDS * 1000
        while time.time() * 1000 < quiet + 10_000:
            self.made.look_after()
            time.sleep(0.2)
        for instance in self.instances.values():
            instance.process.send_signal(signal.SIGTERM)
        for name, instance in self.instances.items():
            assert instance.wait() == 0, f"{name}\n{instance.log[-4000:]}"
        applied = re.findall(r"msg=stopped .*applied=(\d\S+)", "\n".join(each.log for each in self.instances.values()))
        stands = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime((quiet - 5000) / 1000))
        assert applied and min(applied) >= stands, f"time stood still: applied up to {applied}, not {stands}"

    def said(self, text):
        return sum(instance.log_path.read_text(errors="replace").count(text) for instance in self.instances.values())

    def judge(self):
        self.teller.say("comparing with a replay")
        found = verdict.of_topics(self.cluster.bootstrap, self.outputs)
        expected = verdict.of_replay(self.binary, self.config, self.folder)
        rows, good = verdict.compare(found, expected)
        counts = self.made.counts
        kills = counts["instances killed"] + counts["brokers killed"]
        print(f"seed            {self.options.seed}")
        print(f"kills           {kills}: {counts['instances killed']} of instances, {counts['brokers killed']} of brokers")
        print(f"fencings        {counts['sleeps']} sleeps past the session; ways back to the committed positions: "
              f"{self.said('going back to the committed positions')}")
        print(f"restarts        {counts['restarts']} in order; {counts['ends']} ended by themselves, with a reason")
        print(f"rules changed   {counts['rules changed']} times")
        print(f"records         {self.load.written}")
        for name, text in rows:
            print(f"{name:15s} {text}")
        return good

    def close(self):
        for instance in self.instances.values():
            if instance.running():
                instance.process.send_signal(signal.SIGCONT)
            instance.kill()
        if hasattr(self, "cluster"):
            self.cluster.stop()


def main(argv):
    told = options.parse(argv)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="forestall-crash-"))
    teller = Teller()
    teller.say(f"seed {told.seed}; everything is in {folder}")
    run, good = Run(told, folder, teller), False
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run.set_up()
        run.trouble()
        run.settle()
        good = run.judge()
    except AssertionError as problem:
        print(f"crash/run: error: {problem}", file=sys.stderr)
    except KeyboardInterrupt:
        print("crash/run: interrupted", file=sys.stderr)
    finally:
        run.close()
        if good and not told.keep:
            shutil.rmtree(folder)
        else:
            print(f"logs and topics are kept in {folder}", file=sys.stderr)
    print("good: nothing lost, nothing twice, nothing different" if good else "NOT GOOD")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
