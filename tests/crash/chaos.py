"""Kills instances and brokers at random while events pour in, and then compares what came of it with a replay, and the
state that is left with that of an undisturbed run.

Three brokers, of which one at most is down at a time; several instances, each with a state directory and rules of its
own. An instance that ends with status 1 and a reason is started again, as a service manager would. See load.py for what
pours in, verdict.py and state.py for the comparison.
"""

import json
import os
import pathlib
import random
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
import state
import trouble
import verdict

SETTLE_SECONDS_MAX = 240
TASKS = 6


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
            raise SystemExit(f"crash/run: error: {self.binary} does not exist: TEST_BIN names it")
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
            "rules": ["rules"], "state": {"dir": "state", "tasks": TASKS, "replication_factor": 3}, "exchange": "kafka",
            "workers": self.options.workers, "time": {"idle_lag": f"{load.IDLE_LAG_SECONDS}s"}, "commit_interval": "200ms",
        }, indent=2))
        self.create_topics(self.config)
        for n in range(self.options.instances):
            self.add_instance(f"instance {n + 1}")

    def create_topics(self, config):
        done = subprocess.run([self.binary, "topics", "create", "-c", config], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

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

    def places(self):
        return [confluent_kafka.TopicPartition(topic, n) for topic in self.names.values() for n in self.topics.partitions(topic)]

    def positions(self, group):
        """What the group has committed of the sources; nothing while its coordinator is moving."""
        try:
            asked = self.topics.admin.list_consumer_group_offsets(
                [confluent_kafka.ConsumerGroupTopicPartitions(group, self.places())])
            return asked[group].result(30).topic_partitions
        except confluent_kafka.KafkaException:
            return []

    def everything_read(self):
        """The group's positions stand at the ends of the sources."""
        positions = {(each.topic, each.partition): each.offset for each in self.positions(self.group)}
        ends = self.topics.admin.list_offsets({place: confluent_kafka.admin.OffsetSpec.latest() for place in self.places()})
        return positions and all(end.result(30).offset == max(0, positions[place.topic, place.partition])
                                 for place, end in ends.items())

    def wait(self, condition, what):
        """Waits, while whoever ends by itself is started again."""
        def looked_after():
            self.made.look_after()
            return condition()
        harness.wait_until(looked_after, what, SETTLE_SECONDS_MAX)

    def stop(self):
        for instance in self.instances.values():
            instance.process.send_signal(signal.SIGTERM)
        for name, instance in self.instances.items():
            assert instance.wait() == 0, f"{name}\n{instance.log[-4000:]}"

    def marked_ms(self):
        return state.marked_ms(self.marks.drain(), sum(load.PARTITIONS.values()))

    def end_logs(self):
        """A record that is no event in each partition: a mark counts for whoever reads what comes behind it."""
        writer = harness.Writer(self.cluster.bootstrap)
        for place in self.places():
            writer.bytes(place.topic, load.UNUSABLE, partition=place.partition)
        writer.flush()

    def tasks_stand_at_the_end(self, application):
        times = state.applied_ms(state.read(self.cluster.bootstrap, application))
        return len(times) == TASKS and all(each == {self.applied_ms} for each in times.values())

    def settle(self):
        """Everything is read, nothing is due any more, time stands still, and everybody has stopped."""
        self.marks = harness.Reader(self.cluster.bootstrap, f"{self.group}-marks", log_level=0)
        self.wait(self.everything_read, "everything to be read")
        self.teller.say("everything is read")
        quiet_ms = self.ended_ms + load.SILENCE_AFTER_SECONDS * 1000
        self.wait(lambda: self.marked_ms() >= quiet_ms, "time to pass")
        self.stop()
        # With marks time goes on for ever, and whoever stops first has applied less.
        self.applied_ms = self.marked_ms()
        self.end_logs()
        for instance in self.instances.values():
            instance.env["FORESTALL_TIME__IDLE_LAG"] = "never"
            instance.start()
        self.wait(self.everything_read, "the ends to be read")
        self.wait(lambda: self.tasks_stand_at_the_end(self.group), "all tasks to have applied what there is")
        self.stop()
        assert self.marked_ms() == self.applied_ms, "somebody has marked on"

    def undisturbed(self):
        """The state of another application, of one instance that nobody disturbs, once it has applied as much."""
        told, name = json.loads(self.config.read_text()), self.topics.name("undisturbed")
        told.update(application_id=name, workers=1)
        told["time"]["idle_lag"] = "never"
        told["state"]["dir"] = "state-undisturbed"
        for output in told["outputs"].values():
            output["topic"] += "-undisturbed"
        config = self.folder / "undisturbed.yaml"
        config.write_text(json.dumps(told, indent=2))
        self.create_topics(config)
        writer = harness.Writer(self.cluster.bootstrap)  # what is late depends on the marks
        for mark in self.marks.records:
            writer.bytes(f"{name}-marks", mark.value, key=mark.key)
        writer.flush()
        with harness.Forestall(self.binary, ["run", "-c", config], self.folder / "undisturbed.log") as alone:
            harness.wait_until(lambda: self.tasks_stand_at_the_end(name), "an undisturbed run to apply as much", SETTLE_SECONDS_MAX)
            assert alone.stop() == 0, alone.log[-4000:]
        return state.read(self.cluster.bootstrap, name)

    def said(self, text):
        return sum(instance.log_path.read_text(errors="replace").count(text) for instance in self.instances.values())

    def judge(self):
        self.teller.say("comparing with a replay")
        found = verdict.of_topics(self.cluster.bootstrap, self.outputs)
        expected = verdict.of_replay(self.binary, self.config, self.folder, self.applied_ms)
        self.teller.say("comparing with the state of an undisturbed run")
        rules = state.Rules.explained(self.binary, self.config, load.rule_ids())
        for of, entries in ((found, state.read(self.cluster.bootstrap, self.group)), (expected, self.undisturbed())):
            of["state"] = list(state.comparable(entries, rules, self.applied_ms, verdict.RETITLED))
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
