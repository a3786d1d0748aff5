"""kill -9 at random moments and at each named point of the commit and of the way back: nothing is lost, nothing comes twice.

Whatever happened on the way, each recommendation has the versions of an undisturbed replay, byte for byte and in order,
and each bad record has exactly one dead letter.
"""

import random
import re
import shutil

import pytest

import failpoints
import harness

def test_undisturbed(trial):
    trial(0).check()


def test_every_named_point_is_known():
    sources = (path.read_text() for path in (harness.SOURCE / "stream").rglob("*.c"))
    assert sorted(re.findall(r'\bfailpoint\("(\w+)"\)', "".join(sources))) == sorted(failpoints.EVERY + failpoints.STANDBY)


@pytest.mark.parametrize("failpoint", failpoints.EVERY)
def test_at_a_named_point(trial, failpoint):
    dice = random.Random(failpoint)
    run = trial(failpoint)
    deaths, rounds, passes_max = 0, *((6, 5) if failpoint in failpoints.COMMIT else (3, 1))
    for _ in range(rounds):
        run.feed()
        run.start(f"{failpoint}:{dice.randint(1, passes_max)}")
        deaths += run.feed_until_it_dies()
        run.process.kill()
    assert deaths >= rounds / 2
    run.check()


@pytest.mark.parametrize("seed", [1])
def test_at_random_moments(trial, seed):
    dice = random.Random(seed)
    run = trial(seed)
    run.feed()
    for _ in range(10):
        run.start()
        for _ in range(3):
            run.feed()
            run.process_ends_within(dice.uniform(0, 0.5))
        assert run.process.running(), run.process.log
        run.process.kill()
    run.check()


def test_with_the_state_directory_gone(trial):
    run = trial("gone")
    for _ in range(8):
        run.feed()
    run.start("commit_after_end:4")
    assert run.feed_until_it_dies()
    shutil.rmtree(run.state)
    run.check()
    assert "state restored from the changelog" in run.process.log
