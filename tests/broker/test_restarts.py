"""A history read in pieces, by a program that is stopped and started again in between, against one reading of it all."""

import random

import pytest


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
