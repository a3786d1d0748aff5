"""A history read in pieces, by a program that is stopped and started again in between, against one reading of it all."""

import os
import pathlib
import random

import confluent_kafka
import pytest

import harness

CLOCK_AGO = pathlib.Path(os.environ.get("TEST_BUILD", harness.SOURCE / "build/dev")) / "tests/clock_ago.so"
DAY_SECONDS = 86_400


@pytest.mark.parametrize("seed", [1, 2])
def test_stopped_at_random_moments(trial, seed):
    dice = random.Random(seed)
    run = trial(seed)
    run.feed()
    for _ in range(6):
        run.start()
        if dice.random() < 0.8:
            run.process.wait_for_log("msg=ready")
        for _ in range(4):
            run.feed()
            run.process_ends_within(dice.uniform(0, 0.3))
        assert run.process.stop() == 0, run.process.log
    run.check()


def test_all_there_before_the_first_start(trial):
    run = trial(4, commit_interval="500ms")
    while run.feed():
        pass
    run.check()


def place_of(letter):
    return tuple(letter.headers[f"forestall.{name}"] for name in ("topic", "partition", "offset"))


def test_a_gap_is_gone_over_once_it_is_accepted(trial, reader, topics, bootstrap):
    """Retention has removed records that were to be read again: what was said of those behind them is not said again."""
    run = trial(6)

    def send_to_all(value):
        for topic, partition in run.written:
            run.writer.bytes(topic, value, partition=partition)
            run.written[topic, partition] += 1
        run.writer.flush()

    for _ in range(8):
        run.feed()
    send_to_all(b"no event")
    run.start()
    run.wait_until_committed()
    run.stop()
    letters = reader(run.letters)
    before = len(letters.drain())
    member = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": run.group})
    positions = member.committed([confluent_kafka.TopicPartition(*partition) for partition in run.written],
                                 timeout=harness.TIMEOUT_SECONDS)
    member.close()
    again = {(each.topic, each.partition): each.offset + 1 for each in positions
             if each.offset + 1 < run.written[each.topic, each.partition]}
    assert again, "nothing was to be read again"
    left = [confluent_kafka.TopicPartition(*partition, offset) for partition, offset in again.items()]
    for deleted in topics.admin.delete_records(left).values():
        deleted.result(harness.TIMEOUT_SECONDS)
    process = run.forestall(run.config)
    assert process.wait() == 1 and "retention has removed records" in process.log and "--accept-gap" in process.log
    process = run.forestall(arguments=["run", "-c", run.config, "--accept-gap"])
    process.wait_for_log("going on over a gap")
    run.feed()
    send_to_all(b"probe")
    letters.until(lambda records: sum(record.value == b"probe" for record in records) == len(run.written), "the probes")
    assert process.stop() == 0
    places = list(map(place_of, letters.drain()))
    assert len(places) == len(set(places)) > before


@pytest.mark.parametrize("days, rebuilt", [(5, False), (8, True)])
def test_a_state_from_days_ago(trial, days, rebuilt):
    """What was deleted meanwhile may be gone from the changelog altogether, after a week: such a state is built anew."""
    run = trial(5, exchange="kafka")
    ago = {"LD_PRELOAD": str(CLOCK_AGO), "CLOCK_AGO_SECONDS": str(days * DAY_SECONDS)}
    run.process = run.forestall(run.config, env=ago)
    for _ in range(8):
        run.feed()
    run.wait_until_committed()
    run.stop()
    run.start()
    run.process.wait_for_log("msg=ready")
    for _ in range(4):
        run.feed()
    run.check()
    assert ("older than the changelog keeps deletions; restoring all of it" in run.log()) == rebuilt
