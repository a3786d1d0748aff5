"""exchange: kafka on a real Kafka: one instance, several workers, several instances that come and go."""

import signal


def test_one_instance(trial):
    trial(11, exchange="kafka").check()


def test_two_workers(trial):
    run = trial(12, exchange="kafka", workers=2)
    for _ in range(5):
        run.feed()
    run.start()
    run.check()


def feed(run, pieces):
    for _ in range(pieces):
        assert run.feed()


def test_one_joins_and_one_leaves(several):
    run = several(13)
    feed(run, 6)
    run.bring_up("one")
    feed(run, 6)
    run.start("two")
    feed(run, 6)
    run.settle("one", "two")
    feed(run, 4)
    assert run.instances["one"].stop() == 0
    feed(run, 4)
    run.settle("two")
    run.check()


def test_one_is_killed_and_comes_back(several):
    """Within its session: nothing moves, and the other goes on with what it has."""
    run = several(14)
    feed(run, 6)
    run.bring_up("one", "two")
    for _ in range(3):
        feed(run, 5)
        run.instances["two"].kill()
        feed(run, 1)
        run.start("two")
        run.settle("two", "one")
    assert run.instances["one"].log.count("partitions revoked") <= 1
    run.check()


def test_one_is_killed_for_good(several):
    run = several(15)
    feed(run, 6)
    run.bring_up("one", "two", "three")
    feed(run, 10)
    run.instances["two"].kill()
    feed(run, 4)
    run.settle("one", "three")
    run.check()


def fall_asleep(run, name):
    """For longer than its session: the others have what it had."""
    run.instances[name].process.send_signal(signal.SIGSTOP)
    feed(run, 3)
    run.settle(*(other for other in run.instances if other != name))
    feed(run, 2)


def test_one_sleeps_past_its_session(several):
    """What it had not committed is void when it wakes up; told to stop meanwhile, it leaves in order all the same."""
    run = several(19)
    feed(run, 6)
    run.bring_up("one", "two")
    fall_asleep(run, "two")
    sleeper = run.instances["two"]
    sleeper.process.send_signal(signal.SIGCONT)
    run.settle("one", "two")
    assert "going back to the committed positions" in sleeper.log
    feed(run, 3)
    fall_asleep(run, "two")
    sleeper.process.send_signal(signal.SIGTERM)
    sleeper.process.send_signal(signal.SIGCONT)
    assert sleeper.wait() == 0, sleeper.log
    run.check()


def test_one_loses_its_disk(several):
    run = several(16)
    feed(run, 10)
    run.bring_up("one", "two")
    feed(run, 10)
    run.wait_for_states()
    run.lose_disk("one")
    run.start("one")
    run.settle("one", "two")
    assert "state restored from the changelog" in run.instances["one"].log
    run.instances["one"].wait_for_log('msg="all tasks are restored" tasks=[1-4] ms=')
    run.check()


def test_two_workers_in_each_of_two(several):
    run = several(17, workers=2)
    feed(run, 6)
    run.bring_up("one")
    feed(run, 10)
    run.start("two")
    feed(run, 4)
    run.settle("one", "two")
    run.instances["one"].kill()
    feed(run, 4)
    run.start("one")
    run.settle("one", "two")
    run.check()


def test_rules_change_in_one_after_the_other(several):
    run = several(18)
    feed(run, 8)
    run.bring_up("one", "two")
    feed(run, 4)
    run.retitle("one", "t", "renamed")
    feed(run, 4)
    run.retitle("two", "t", "renamed")
    run.check()
