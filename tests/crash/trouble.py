"""What goes wrong during a run, at random."""

import re
import signal
import time

import confluent_kafka

import cluster
import load

SESSION_SECONDS = 10  # of the consumer group: whoever sleeps for longer is fenced
BROKER_SESSION_SECONDS = 9  # broker.session.timeout.ms, by default


class Trouble:
    """What goes wrong, at random. Each kind is a generator that yields what it waits for; several go on at once, no two
    with the same instance."""

    def __init__(self, cluster, instances, rules, admin, dice, teller):
        self.cluster, self.instances, self.rules, self.admin = cluster, instances, rules, admin
        self.dice, self.teller = dice, teller
        self.going_on = {}  # generator -> (what it waits for, what it has to itself)
        self.next_at = time.monotonic() + 5
        self.counts = dict.fromkeys(["instances killed", "brokers killed", "sleeps", "restarts", "rules changed", "ends"], 0)

    def seconds(self, least, most):
        until = time.monotonic() + self.dice.uniform(least, most)
        return lambda: time.monotonic() >= until

    def kill_instance(self, name):
        self.teller.say(f"kill -9 of {name}")
        self.instances[name].kill()
        self.counts["instances killed"] += 1
        # Mostly within its session; now and then the others take over what it had.
        yield self.seconds(0, 3) if self.dice.random() < 0.7 else self.seconds(SESSION_SECONDS, SESSION_SECONDS + 6)
        self.instances[name].start()

    def kill_broker(self, _):
        number = self.dice.randrange(len(self.cluster.nodes))
        self.teller.say(f"kill -9 of broker {number + 1}")
        self.cluster.kill_broker(number)
        self.counts["brokers killed"] += 1
        # Not before the others take it for dead. One that is back sooner leads again in the same epoch, and as coordinator
        # of transactions it reads a PrepareCommit that nobody else has: it writes that commit's markers, and loses it to
        # the next leader, who aborts the transaction where the marker has not come. Kafka 4.4 itself splits it then.
        yield self.seconds(BROKER_SESSION_SECONDS + 1, BROKER_SESSION_SECONDS + 8)
        self.cluster.nodes[number].start()
        yield lambda: self.knows_all(number) and self.in_sync()
        self.teller.say(f"broker {number + 1} is back")

    def knows_all(self, number):
        """The broker has joined the others: until then these may not have noticed that it was away. On a machine that is
        too busy it may give up by itself meanwhile."""
        if not self.cluster.nodes[number].alive():
            self.cluster.nodes[number].start()
        return cluster.brokers_known(self.cluster.nodes[number].port) == len(self.cluster.nodes)

    def in_sync(self):
        """All brokers hold all that they should; only then may the next one go."""
        try:
            topics = self.admin.list_topics(timeout=1).topics.values()
        except confluent_kafka.KafkaException:
            return False
        partitions = [partition for topic in topics for partition in topic.partitions.values()]
        return partitions and all(len(each.isrs) == len(each.replicas) for each in partitions)

    def sleep(self, name):
        process = self.instances[name].process
        self.teller.say(f"{name} falls asleep")
        process.send_signal(signal.SIGSTOP)
        self.counts["sleeps"] += 1
        yield self.seconds(SESSION_SECONDS + 2, SESSION_SECONDS + 8)
        process.send_signal(signal.SIGCONT)
        self.teller.say(f"{name} wakes up")
        yield self.seconds(1, 5)

    def restart_all(self, _):
        self.teller.say("restart of one after the other")
        for instance in self.instances.values():
            # One that has just been started is not listening yet.
            yield lambda: not instance.running() or "msg=starting" in instance.log
            if not instance.running():
                continue
            instance.process.send_signal(signal.SIGTERM)
            yield lambda: not instance.running()
            self.ended(instance)
            instance.start()
            self.counts["restarts"] += 1
            yield lambda: not instance.running() or "msg=ready" in instance.log

    def change_rules(self, _):
        self.teller.say("change of the rules in one after the other")
        self.counts["rules changed"] += 1
        for path in self.rules.values():
            text = path.read_text()
            old, new = (load.OLD_TITLE, load.NEW_TITLE) if f"title: {load.OLD_TITLE}," in text else (
                load.NEW_TITLE, load.OLD_TITLE)
            path.with_suffix(".new").write_text(text.replace(f"title: {old},", f"title: {new},"))
            path.with_suffix(".new").rename(path)
            yield self.seconds(0, 2)

    def ended(self, instance):
        """It may end by itself in one way only: with status 1, and a reason."""
        status = instance.process.returncode
        if status == 0:
            return
        last = re.findall("level=error (msg=(?!kafka ).*)", instance.log)
        assert status == 1 and last, f"status {status}\n{instance.log[-4000:]}"
        self.counts["ends"] += 1
        self.teller.say(f"ended by itself: {last[-1]}")

    def look_after(self):
        """Starts again what ended by itself; lets go on what waits for nothing any more."""
        busy = set().union(*(claimed for _, claimed in self.going_on.values()))
        for name, instance in self.instances.items():
            if name not in busy and not instance.running():
                self.ended(instance)
                instance.start()
        for each, (waits_for, claimed) in list(self.going_on.items()):
            if waits_for():
                self.go_on(each, claimed)

    def go_on(self, each, claimed):
        try:
            self.going_on[each] = (next(each), claimed)
        except StopIteration:
            self.going_on.pop(each, None)

    def more(self):
        """Begins something new when it is time."""
        if time.monotonic() < self.next_at:
            return
        self.next_at = time.monotonic() + self.dice.uniform(2, 8)
        busy = set().union(*(claimed for _, claimed in self.going_on.values()))
        free = [name for name, each in self.instances.items() if name not in busy and each.running()]
        kind = self.dice.choices([self.kill_instance, self.kill_broker, self.sleep, self.restart_all, self.change_rules],
                                 [8, 4, 2, 1, 1])[0]
        if kind == self.kill_broker:
            wanted = {"broker"}
        elif kind == self.change_rules:
            wanted = {"rules"}
        elif kind == self.restart_all:
            wanted = set(self.instances)
        elif free:
            wanted = {self.dice.choice(free)}
        else:
            return
        if not wanted & busy:
            self.go_on(kind(next(iter(wanted))), wanted)
