"""Brokers go away and come back while `run` is at work: nothing is lost and nothing comes twice.

It says so and goes on, or ends with status 1 and a line that says why; started again, as a service manager would, it
goes on then. Alone, a broker is stopped between transactions only: in the middle of one it can itself break what it
promises. Of three, one is killed at any time.
"""

import os
import random
import re
import signal

import pytest

import harness


def start_again(run):
    """Starts what ended; it may have ended only in the way that it should."""
    if run.process is not None and run.process.running():
        return
    if run.process is not None:
        assert run.process.process.returncode == 1 and "stopped by an error" in run.process.log, run.process.log
    run.start()
    run.process.wait_for_log("msg=ready")


@pytest.mark.parametrize("brokers", [1, 3], ids=["one broker", "three brokers"])
def test_brokers_come_back(kafka, trial):
    dice = random.Random(1)
    alone = len(kafka.nodes) == 1
    run = trial(1, state={"replication_factor": len(kafka.nodes)})
    run.feed()
    for node in kafka.nodes[:2]:
        start_again(run)
        for _ in range(4):
            run.feed()
        if alone:
            run.wait_until_committed()
            node.stop()
        else:
            run.process_ends_within(dice.uniform(0, 0.2))
            node.kill()
        run.process.wait_for_log(r"level=(warn|error) .*(down|refused|disconnect|transport|held up)")
        node.start()
        kafka.wait()
        assert run.feed()
    start_again(run)
    run.check(ends_allowed=2)


def its_session_is_over(kafka, group):
    """By the brokers' logs: asking an admin client may abort it while another broker is to be the coordinator yet."""
    line = re.compile(rf"Member .* in group {group} has failed")
    return any(line.search((node.folder / "kafka.log").read_text(errors="replace")) for node in kafka.nodes)


@pytest.mark.parametrize("brokers", [3], ids=["three brokers"])
def test_it_joins_while_a_broker_says_nothing(kafka, trial):
    """It slept for longer than its session, and so asks first whether another has come: all brokers that it knows."""
    run = trial(2, state={"replication_factor": 3})
    run.feed()
    run.start()
    run.wait_until_committed()
    os.kill(kafka.nodes[0].pid, signal.SIGSTOP)
    run.process.process.send_signal(signal.SIGSTOP)
    harness.wait_until(lambda: its_session_is_over(kafka, run.group), "its session to be over")
    run.process.process.send_signal(signal.SIGCONT)
    run.process.wait_for_log("partitions revoked.* lost=1")
    harness.wait_until(lambda: run.process.log.count("partitions assigned") == 2, "it to join again")
    os.kill(kafka.nodes[0].pid, signal.SIGCONT)
    run.check()
