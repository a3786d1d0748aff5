"""exchange: kafka on a real Kafka: one instance, several workers, several instances that come and go."""


def test_one_instance(trial):
    trial(11, exchange="kafka").check()


def test_two_workers(trial):
    run = trial(12, exchange="kafka", workers=2)
    for _ in range(5):
        run.feed()
    run.start()
    run.check()
