"""Several instances of one application over the seeded history: they come and go, and the outcome is that of one.

Each has a state directory and rule files of its own. A session lasts 10 s: so long after an instance has gone, in order
or not, the others take over what it had.
"""

import json
import shutil

import confluent_kafka

import harness
import seeded


class Fleet(seeded.Trial):
    """A Trial whose instances have names; what is not about one of them is about all that run."""

    def set_up(self, topics, write_config, forestall, seed):
        super().set_up(topics, write_config, forestall, seed)
        self.instances = {}
        self.folder = self.config.parent
        self.titles = None

    def state_of(self, name):
        return self.folder / f"state-{name}"

    def rules_of(self, name):
        return self.folder / f"rules-{name}" / "seeded.yaml"

    def start(self, name="one", failpoint=None):
        """Starts an instance, or starts it again."""
        if name not in self.instances:
            self.rules_of(name).parent.mkdir()
            self.rules_of(name).write_text(seeded.RULES)
        self.process = self.instances[name] = self.forestall(self.config, env={
            "FORESTALL_STATE__DIR": str(self.state_of(name)), "FORESTALL_RULES__0": str(self.rules_of(name)),
            **({"FORESTALL_FAILPOINT": failpoint} if failpoint else {})})

    def bring_up(self, *names):
        """Starts these, which then share everything, and nobody else does."""
        for name in names:
            self.start(name)
        self.settle(*names)

    def shares(self):
        """How many partitions each member of the group has; None while the group is at it."""
        try:
            described = self.admin.describe_consumer_groups([self.group])[self.group].result(harness.TIMEOUT_SECONDS)
        except confluent_kafka.KafkaException:  # the coordinator of a new cluster is still loading
            return None
        if described.state != confluent_kafka.ConsumerGroupState.STABLE:
            return None
        return [len(member.assignment.topic_partitions) for member in described.members]

    def settle(self, *names):
        """Waits until these, and nobody else, share all partitions, and are at work."""
        inputs, settings = sum(seeded.PARTITIONS.values()), json.loads(self.config.read_text())
        every, members = inputs + settings["state"]["tasks"], settings.get("workers", 1) * len(names)

        def shared():
            shares = self.shares()
            return shares and len(shares) == members and min(shares) > 0 and sum(shares) == every

        try:
            harness.wait_until(shared, f"{names} to share {every} partitions")
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.log()}") from None
        for name in names:
            self.instances[name].wait_for_log("msg=ready")

    def wait_for_states(self):
        """Waits until every task has committed something: from then on its state is restored when it moves."""
        exchange = f"{self.group}-exchange"

        def committed():
            asked = self.admin.list_consumer_group_offsets([confluent_kafka.ConsumerGroupTopicPartitions(self.group)])
            places = asked[self.group].result(harness.TIMEOUT_SECONDS).topic_partitions
            found = [place for place in places if place.topic == exchange and place.offset >= 0]
            return len(found) == json.loads(self.config.read_text())["state"]["tasks"]

        harness.wait_until(committed, "a position of each task")

    def lose_disk(self, name):
        self.instances[name].kill()
        shutil.rmtree(self.state_of(name))

    def retitle(self, name, old, new):
        """Changes a title in an instance's rules, and waits until it goes by them. Titles are then not compared."""
        text = self.rules_of(name).read_text()
        assert text.count(f"title: {old},") == 1
        replaced = self.rules_of(name).with_suffix(".new")
        replaced.write_text(text.replace(f"title: {old},", f"title: {new},"))
        replaced.rename(self.rules_of(name))
        self.instances[name].wait_for_log("msg=.rules reloaded")
        self.titles = {old, new}

    def comparable(self, line):
        record = json.loads(line)
        if self.titles is None or record["title"] not in self.titles:
            return line
        # Whoever applies a version decides by its rules: which has the new title first is not fixed.
        return json.dumps({**record, "title": None, "life_version": None}).encode()

    def committed(self):
        """How often the instance that was started last has committed: of the records others may have read all."""
        return self.process.log.count("msg=committed")

    def keep_running(self, ends_allowed):
        for name, process in self.instances.items():
            if not process.running():
                assert process.process.returncode in (0, -9), process.log
        return ends_allowed

    def check(self, ends_allowed=0):
        self.process = next(process for process in self.instances.values() if process.running())
        super().check(ends_allowed)

    def stop(self):
        running = {name: process for name, process in self.instances.items() if process.running()}
        for process in running.values():
            process.wait_for_log("msg=ready")
        for name, process in running.items():
            assert process.stop() == 0, self.log()

    def log(self):
        return "\n".join(f"---- {name}\n{process.log}" for name, process in self.instances.items())
