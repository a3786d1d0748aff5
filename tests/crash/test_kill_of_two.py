"""kill -9 of one of two instances at each named point of the commit and of the way back, while the other goes on."""

import random

import pytest

import failpoints


def dies(run, failpoint):
    """Whether the instance that was started last did so at the point. On its way back nothing need be fed for that."""
    return run.feed_until_it_dies() if failpoint in failpoints.COMMIT else run.process.wait() == -9


@pytest.mark.parametrize("failpoint", failpoints.EVERY)
def test_at_a_named_point(several, failpoint):
    dice = random.Random(failpoint)
    run = several(failpoint)
    run.feed()
    run.bring_up("one", "two")
    run.feed()
    run.wait_for_states()
    deaths = 0
    for _ in range(4):
        run.instances["two"].kill()
        run.feed()
        run.start("two", f"{failpoint}:{dice.randint(1, 4) if failpoint in failpoints.COMMIT else 1}")
        deaths += dies(run, failpoint)
    assert deaths >= 3
    run.instances["two"].kill()
    run.start("two")
    run.check()


@pytest.mark.parametrize("failpoint", ["restore_before_state", "restore_before_store", "restore_after_state"])
def test_while_a_lost_disk_is_restored(several, failpoint):
    run = several(failpoint)
    for _ in range(10):
        run.feed()
    run.bring_up("one", "two")
    run.feed()
    run.wait_for_states()
    run.lose_disk("two")
    for _ in range(2):
        run.start("two", failpoint)
        assert dies(run, failpoint)
    run.start("two")
    run.settle("one", "two")
    assert "state restored from the changelog" in run.instances["two"].log
    run.check()
