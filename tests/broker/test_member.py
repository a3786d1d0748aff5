"""Several members of one group share topics (broker/member.c): each partition is read by one of them, and whatever
becomes of a member, each record is copied exactly once."""

import pathlib
import re
import signal

import confluent_kafka.admin
import pytest

import harness


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


def test_a_rebalance_between_two_looks_is_noticed(group):
    """Revoked and assigned anew before anybody asked: the generation is valid, but what was read is not."""
    group.set_up(alpha=4, exchange=4)
    group.start("one")
    group.settle("one")
    one = group.members["one"]
    one.process.send_signal(signal.SIGHUP)
    group.write()
    one.wait_for_log("^serving")
    group.start("two")
    one.wait_for_log("aborted: the group took the partitions away")
    group.settle("one", "two")
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
