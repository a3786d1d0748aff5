"""Brokers go away and come back while `run` is at work: nothing is lost and nothing comes twice.

It says so and goes on, or ends with status 1 and a line that says why; started again, as a service manager would, it
goes on then. Alone, a broker is stopped between transactions only: in the middle of one it can itself break what it
promises. Of three, one is killed at any time.
"""

import random

import pytest


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
