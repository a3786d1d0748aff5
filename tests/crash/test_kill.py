"""kill -9 at random moments and at each named point of the commit: nothing is lost, nothing comes twice.

Whatever happened on the way, each recommendation has the versions of an undisturbed replay, byte for byte and in order,
and each bad record has exactly one dead letter.
"""

import random
import shutil

import pytest

FAILPOINTS = ("commit_before_begin", "commit_after_produce", "commit_before_end", "commit_after_end",
              "commit_after_store")


def test_undisturbed(trial):
    trial(0).check()


@pytest.mark.parametrize("failpoint", FAILPOINTS)
def test_at_a_named_point_of_the_commit(trial, failpoint):
    dice = random.Random(failpoint)
    run = trial(failpoint)
    deaths = 0
    for _ in range(6):
        run.feed()
        run.start(f"{failpoint}:{dice.randint(1, 5)}")
        deaths += run.feed_until_it_dies()
        run.process.kill()
    assert deaths >= 3
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
