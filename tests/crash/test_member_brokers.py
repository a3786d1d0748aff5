"""Brokers are killed while two members share their group: nothing that they copy is lost, and nothing comes twice.

A member may end on the way, with a reason; started again, as a service manager would, it goes on.
"""

import pytest


def start_again(group):
    for name, member in group.members.items():
        if not member.running():
            assert "failed: " in member.log, member.log
            group.start(name)


@pytest.mark.parametrize("brokers", [3])
def test_each_broker_is_killed_once(kafka, group):
    group.set_up(alpha=4, exchange=4)
    group.start("one")
    group.start("two")
    group.settle("one", "two")
    for broker in range(3):
        group.write(20)
        kafka.kill_broker(broker)
        group.write(20)
        kafka.start_broker(broker)
        start_again(group)
        group.write(20)
    group.settle("one", "two")
    group.check()
