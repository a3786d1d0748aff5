"""Most of the brokers are gone, or stand still: what is left takes no write (min.insync.replicas). `run` waits, says so,
stays quiet meanwhile, and loses and doubles nothing."""

import os
import re
import signal
import time

import pytest

import harness

pytestmark = [
    pytest.mark.skipif("TEST_LONG" not in os.environ, reason="takes minutes: set TEST_LONG=1"),
    pytest.mark.parametrize("brokers", [3], ids=["three brokers"]),
]

WAITING = 'level=warn msg="waiting for the cluster"'
LINES_A_MINUTE_MAX = 40
LOAD_MAX = 0.2  # of a processor, sanitizers aside


def kill(node):
    node.kill()


def stop(node):
    os.kill(node.pid, signal.SIGSTOP)


def start(node):
    if node.alive():
        os.kill(node.pid, signal.SIGCONT)
    else:
        node.start()


def processor_seconds(process):
    fields = open(f"/proc/{process.process.pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_quiet(process):
    """Over a minute of waiting, as it tells them."""
    process.wait_for_log(WAITING, timeout=180)
    begun, used, lines = time.monotonic(), processor_seconds(process), process.log.count("\n")
    harness.wait_until(lambda: process.log.count(WAITING) >= 2, "a second line", timeout=180)
    minutes = (time.monotonic() - begun) / 60
    said = process.log.splitlines()[lines:]
    assert len(said) <= LINES_A_MINUTE_MAX * minutes, "\n".join(said)
    assert processor_seconds(process) - used <= LOAD_MAX * minutes * 60


@pytest.mark.parametrize("exchange, leave", [("local", kill), ("kafka", stop)], ids=["killed", "stopped"])
def test_two_of_three(kafka, trial, leave, exchange):
    run = trial(f"{leave.__name__} {exchange}", exchange=exchange, state={"replication_factor": 3})
    run.feed()
    run.start()
    run.process.wait_for_log("msg=ready")
    run.feed()
    for node in kafka.nodes[:2]:
        leave(node)
    is_quiet(run.process)
    for node in kafka.nodes[:2]:
        start(node)
    kafka.wait()
    run.process.wait_for_log("the cluster answers again", timeout=180)
    run.check()
    assert len(re.findall(WAITING, run.process.log)) < 10
