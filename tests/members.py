"""A group of members (broker/member.c) that share topics, and what becomes of the records that they copy."""

import os
import pathlib
import re

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
