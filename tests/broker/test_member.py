"""Several members of one group share topics (broker/member.c): each partition is read by one of them, and whatever
becomes of a member, each record is copied exactly once."""

import os
import pathlib
import re
import signal

import confluent_kafka.admin
import pytest

import harness

MEMBER = pathlib.Path(os.environ.get("TEST_BUILD", harness.SOURCE / "build/dev")) / "tests/broker_member"


class Group:
    """The topics, the members, and what was written."""

    def __init__(self, bootstrap, topics, writer, reader, folder):
        self.bootstrap, self.topics, self.writer, self.reader, self.folder = bootstrap, topics, writer, reader, folder
        self.members, self.written = {}, []

    def set_up(self, **partitions):
        self.inputs = {self.topics.create(name, partitions=count): count for name, count in partitions.items()}
        self.output = self.topics.create("output", partitions=2)
        self.every = {f"{topic}/{n}" for topic, count in self.inputs.items() for n in range(count)}
        return self

    def start(self, name):
        if name not in self.members:
            self.members[name] = harness.Forestall(
                MEMBER, [self.bootstrap, self.topics.name("group"), name, self.output, *self.inputs],
                self.folder / f"{name}.log")
        return self.members[name].start()

    def write(self, count=5):
        for topic, partitions in self.inputs.items():
            for partition in range(partitions):
                for _ in range(count):
                    value = f"{topic}/{partition}/{len(self.written)}"
                    self.writer.bytes(topic, value.encode(), partition=partition)
                    self.written.append(value)
        self.writer.flush()

    def owned(self, name):
        """What a member says that it has; None while it does not know."""
        said = self.members[name].log.splitlines()
        last = [line for line in said if re.match("joined|aborted", line)][-1:]
        return set(last[0].split()[3:]) if last and last[0].startswith("joined") else None

    def settle(self, *names):
        """Waits until these share everything evenly, and nothing twice."""

        def even():
            owned = [self.owned(name) for name in names]
            if None in owned or set().union(*owned) != self.every:
                return False
            sizes = [len(each) for each in owned]
            return sum(sizes) == len(self.every) and max(sizes) - min(sizes) <= 1

        harness.wait_until(even, f"{', '.join(names)} to share {len(self.every)} partitions (see their logs)")

    def check(self):
        """Everything written was copied, once."""
        copies = self.reader(self.output)
        copies.until(lambda records: len(records) >= len(self.written), "the copies")
        assert sorted(record.value.decode() for record in copies.drain()) == sorted(self.written)


@pytest.fixture
def group(bootstrap, topics, writer, reader, tmp_path):
    made = Group(bootstrap, topics, writer, reader, tmp_path)
    yield made
    for member in made.members.values():
        member.kill()


def test_two_share_and_one_is_killed(group):
    group.set_up(alpha=4, exchange=4)
    group.start("one")
    group.settle("one")
    group.write()
    group.start("two")
    group.settle("one", "two")
    group.write()
    group.members["one"].kill()
    group.write()
    group.settle("two")
    group.check()
    group.start("one")
    group.settle("one", "two")
    group.write()
    group.check()


def test_more_members_than_partitions(group):
    """Who has nothing waits, and takes over."""
    group.set_up(alpha=1, exchange=1)
    for name in ("one", "two", "three"):
        group.start(name)
    group.settle("one", "two", "three")
    group.write()
    busy = next(name for name in group.members if group.owned(name))
    group.members[busy].kill()
    group.write()
    group.settle(*(name for name in group.members if name != busy))
    group.check()


def asleep(process):
    return pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


@pytest.mark.parametrize("number, refused", [
    (signal.SIGUSR1, "adding the positions: .*(Unknown member|Specified group generation id is not valid|fenced)"),
    (signal.SIGUSR2, "adding the positions: ")], ids=["before a transaction", "amid a transaction"])
def test_who_slept_is_fenced_and_joins_again(group, number, refused):
    group.set_up(alpha=4, exchange=4)
    group.start("one")
    group.start("two")
    group.settle("one", "two")
    sleeper = group.members["one"]
    sleeper.process.send_signal(number)
    group.write()
    harness.wait_until(lambda: asleep(sleeper.process), "it to stop")
    group.settle("two")
    group.write()
    sleeper.process.send_signal(signal.SIGCONT)
    sleeper.wait_for_log("aborted: " + refused)
    group.settle("one", "two")
    group.write()
    group.check()


def test_a_topic_that_is_deleted_is_told(group):
    """Not at once: a broker that starts or stops says the same of topics that are there."""
    group.set_up(alpha=2, exchange=2)
    group.start("one")
    group.start("two")
    group.settle("one", "two")
    topic = next(iter(group.inputs))
    group.topics.admin.delete_topics([topic])[topic].result(harness.TIMEOUT_SECONDS)
    for member in group.members.values():
        assert member.wait(timeout=120) == 1
        assert re.search(rf"^failed: .*{topic}.*was the topic deleted", member.log, re.MULTILINE), member.log


def test_a_topic_that_grew_ends_who_does_not_know_it(group):
    group.set_up(alpha=2)
    group.start("one")
    group.settle("one")
    topic = next(iter(group.inputs))
    group.topics.admin.create_partitions([confluent_kafka.admin.NewPartitions(topic, 8)])[topic].result(60)
    harness.wait_until(lambda: len(group.topics.partitions(topic)) == 8, "the partitions")
    group.start("two")
    assert group.members["one"].wait() == 1
    assert "a topic has more partitions now" in group.members["one"].log
