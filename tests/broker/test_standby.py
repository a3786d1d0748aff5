"""`state.standby_replicas`: who takes a task over has its state but for the tail, and never more than was committed."""

import re

import confluent_kafka
import pytest

import harness


def feed(run, pieces):
    for _ in range(pieces):
        assert run.feed()


def end_of(place):
    """The client hands on bytes behind the metadata's end, which may be no text; -1: ask again."""
    try:
        return int(re.search(r'"changelog_next":(\d+)}', place.metadata).group(1))
    except UnicodeDecodeError:
        return -1


def committed_ends(run):
    """Task -> the end of its changelog as of its committed position."""
    asked = run.admin.list_consumer_group_offsets([confluent_kafka.ConsumerGroupTopicPartitions(run.group)])
    places = asked[run.group].result(harness.TIMEOUT_SECONDS).topic_partitions
    return {place.partition: end_of(place) for place in places
            if place.topic == f"{run.group}-exchange" and place.offset >= 0}


def copied(instance):
    """Task -> how far this instance's copy says that it is."""
    return {int(task): int(end) for task, end in re.findall(
        r'msg="standby: copied" task=(\d+) records=\d+ next=(\d+)', instance.log)}


def wait_until_warm(run, *names):
    """Until there is much state, and for each task one of the instances has a copy up to its end."""

    def warm():
        ends, copies = committed_ends(run), [copied(run.instances[name]) for name in names]
        same = len(ends) == 4 and all(any(copy.get(task) == end for copy in copies) for task, end in ends.items())
        return ends if same and sum(ends.values()) > 1000 and committed_ends(run) == ends else None

    try:
        return harness.wait_until(warm, f"copies on {names}")
    except AssertionError as problem:
        raise AssertionError(f"{problem}\n{committed_ends(run)}\n{run.log()}") from None


def restored(instance):
    return [tuple(map(int, each)) for each in re.findall(
        r'msg="state restored from the changelog" task=(\d+) from=(\d+) to=(\d+) records=(\d+)', instance.log)]


@pytest.mark.parametrize("workers", [1, 2])
def test_only_the_tail_is_read(several, workers):
    run = several(21, workers=workers, state={"tasks": 4, "standby_replicas": 1})
    feed(run, 8)
    run.bring_up("one", "two")
    feed(run, 10)
    ends = wait_until_warm(run, "one", "two")
    before = len(restored(run.instances["one"]))
    feed(run, 2)
    run.instances["two"].kill()
    run.settle("one")
    feed(run, 2)
    run.check()
    took_over = restored(run.instances["one"])[before:]
    # What was committed after the copies were looked at is the tail.
    assert all(start >= ends[task] for task, start, _, _ in took_over), (took_over, ends)
    assert "standby: copies are up to date" in run.instances["one"].log


def test_who_copies_is_killed_and_goes_on(several):
    run = several(22, state={"tasks": 4, "standby_replicas": 1})
    feed(run, 6)
    run.bring_up("one")
    feed(run, 6)
    run.wait_for_states()
    run.start("two", failpoint="standby_after_write:1")
    harness.wait_until(lambda: not run.instances["two"].running(), "a death while it copies")
    feed(run, 2)
    run.start("two")
    run.settle("one", "two")
    ends = wait_until_warm(run, "one", "two")
    before = len(restored(run.instances["two"]))
    run.instances["one"].kill()
    feed(run, 2)
    run.settle("two")
    run.check()
    assert all(start >= ends[task] for task, start, _, _ in restored(run.instances["two"])[before:])
