"""A Kafka of its own for a test that stops or kills brokers, so that no other test is disturbed."""

import pytest

import cluster


@pytest.fixture
def brokers():
    """How many the test's `kafka` has: parametrize it for another number."""
    return 1


@pytest.fixture
def kafka(brokers, tmp_path_factory):
    made = cluster.Cluster.create(tmp_path_factory.mktemp("kafka"), brokers)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def bootstrap(bootstrap, request):
    """The address of the test's own Kafka where it asks for `kafka`, else of everybody's."""
    return request.getfixturevalue("kafka").bootstrap if "kafka" in request.fixturenames else bootstrap
