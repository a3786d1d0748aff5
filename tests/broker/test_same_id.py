"""Another member takes an instance's id. Where it never says a word, as one that a broker made of an answer that was
lost, the instance goes on when the group has removed it; where it lives, the instance ends and says so."""

import subprocess
import sys

import pytest

# Joins with the instance's id, says so, and lives until it is killed.
DOUBLE = """
import sys, confluent_kafka
bootstrap, group, instance, topic = sys.argv[1:]
consumer = confluent_kafka.Consumer({
    "bootstrap.servers": bootstrap, "group.id": group, "group.instance.id": instance, "enable.auto.commit": False,
    "partition.assignment.strategy": "roundrobin", "session.timeout.ms": 6000, "max.poll.interval.ms": 10000})
consumer.subscribe([topic], on_assign=lambda *_: print("joined", flush=True))
while True:
    consumer.poll(0.1)
"""


@pytest.fixture
def double(bootstrap):
    started = []

    def start(run):
        arguments = [bootstrap, run.group, (run.state / "instance").read_text().strip(), run.names["incident"]]
        process = subprocess.Popen([sys.executable, "-c", DOUBLE, *arguments], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "joined\n"
        return process

    yield start
    for each in started:
        each.kill()
        each.wait()


@pytest.mark.parametrize("exchange", ["local", "kafka"])
def test_one_that_falls_silent_is_waited_for(trial, double, exchange):
    run = trial(31, exchange=exchange)
    for _ in range(4):
        run.feed()
    run.start()
    run.process.wait_for_log("msg=ready")
    silent = double(run)
    silent.kill()
    run.feed()
    run.process.wait_for_log("another member of this instance's id; waiting whether it lives")
    run.check()


def test_one_that_lives_ends_it(trial, double):
    run = trial(32)
    run.feed()
    run.start()
    run.process.wait_for_log("msg=ready")
    double(run)
    assert run.process.wait(timeout=150) == 1, run.process.log
    assert "uses this instance's id and lives" in run.process.log
