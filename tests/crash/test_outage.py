"""A cluster that is not there, or does not answer: `run` waits for it, says so, and loses and doubles nothing."""

import contextlib
import os
import signal
import threading

import pytest

import harness

# They wait for sessions and transactions to run out, which takes minutes.
long = pytest.mark.skipif("TEST_LONG" not in os.environ, reason="takes minutes: set TEST_LONG=1")


def stop_between_transactions(run, node):
    """In the middle of one a broker that is alone can itself break what it promises."""
    run.wait_until_committed()
    node.stop()


def come_back(kafka):
    for node in kafka.nodes:
        node.start()
    kafka.wait()


def test_it_starts_before_the_cluster(kafka, trial):
    run = trial(1, exchange="kafka")
    run.feed()
    kafka.nodes[0].stop()
    run.start()
    run.process.wait_for_log('level=warn msg="waiting for the cluster"')
    come_back(kafka)
    run.process.wait_for_log("the cluster answers again")
    run.check()


def test_it_is_told_to_stop_while_it_waits(kafka, trial):
    run = trial(2)
    kafka.nodes[0].stop()
    run.start()
    run.process.wait_for_log('level=warn msg="waiting for the cluster"')
    assert run.process.stop(timeout=30) == 0, run.process.log
    come_back(kafka)


@contextlib.contextmanager
def slowed(node, stopped_seconds=0.2, running_seconds=0.05):
    """Has the broker stand still for most of the time, so that each request takes long and none fails."""
    over = threading.Event()

    def hold():
        while not over.wait(running_seconds):
            os.kill(node.pid, signal.SIGSTOP)
            over.wait(stopped_seconds)
            os.kill(node.pid, signal.SIGCONT)

    holding = threading.Thread(target=hold)
    holding.start()
    try:
        yield
    finally:
        over.set()
        holding.join()


def test_the_broker_is_slow(kafka, trial):
    run = trial(5, exchange="kafka", commit_interval="500ms")
    run.feed()
    with slowed(kafka.nodes[0]):
        run.start()
        run.process.wait_for_log("msg=ready", timeout=120)
        for _ in range(5):
            run.feed()
            before = run.committed()
            harness.wait_until(lambda: run.committed() > before, "a commit", timeout=120)
    run.check()


@long
@pytest.mark.parametrize("exchange", ["local", "kafka"])
def test_the_cluster_is_gone_for_long(kafka, trial, exchange):
    """For longer than a session, a transaction and the wait for a join."""
    run = trial(3, exchange=exchange)
    run.feed()
    run.start()
    run.process.wait_for_log("msg=ready")
    run.feed()
    stop_between_transactions(run, kafka.nodes[0])
    run.process.wait_for_log('level=warn msg="waiting for the cluster"', timeout=180)
    come_back(kafka)
    run.process.wait_for_log("the cluster answers again", timeout=180)
    run.check()


@long
def test_the_broker_stands_still(kafka, trial):
    """For longer than a transaction lives."""
    run = trial(4, exchange="kafka")
    run.feed()
    run.start()
    run.process.wait_for_log("msg=ready")
    os.kill(kafka.nodes[0].pid, signal.SIGSTOP)
    try:
        run.process.wait_for_log('level=warn msg="(going back to the committed positions|waiting for the cluster)"',
                                 timeout=180)
    finally:
        os.kill(kafka.nodes[0].pid, signal.SIGCONT)
    run.check()
