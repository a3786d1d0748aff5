"""Many groups: how fast their state is made, what memory and disk it takes, and how long a restart after kill -9 takes.

Each group has an event in each of two panes or more (bench/state.yaml), so that each event is a partial of its own. The rate is that of the whole way, to the committed
positions; where they do not come in time, that of what was committed until then. Then the process is killed, events of a
later time are written, and it is started again: its time runs from then until it is ready, and until the positions have
passed those events. Over Kafka (the default) the exchange is between: what is made of the events is in the state when the
changelog has come to rest; and a restarted process is back when every task's position has moved too.
"""

import os
import signal
import time

import pipeline
import rig

NAME = "state"
ABOUT = "100,000 groups, 1 M and 10 M: rate, memory, disk, and the time to be back after kill -9"
PANE_SECONDS = 600
PANES = 2
EVENTS_MIN = 2_000_000  # of few groups more panes, so that starting is a small part of it
SETTLE_SECONDS = 2  # the store follows the commit
MEMORY_PART = 0.5  # of the machine's memory, that the process may take


class Limit:
    """Ends a wait that takes too long or too much; says why."""

    def __init__(self, options, own):
        self.options, self.own, self.why = options, own, ""
        self.deadline = time.monotonic() + options.limit
        self.most_mib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20 * MEMORY_PART

    def __call__(self):
        if time.monotonic() > self.deadline:
            self.why = f"not within {self.options.limit} s"
        elif self.own.process.resident_mib() > self.most_mib:
            self.why = f"it took more than {self.most_mib:,.0f} MiB, half of the machine's memory"
        return bool(self.why)


def options(parser):
    parser.add_argument("--groups", type=rig.number, action="append", help="repeatable (default 100,000, 1,000,000 and 10,000,000)")
    parser.add_argument("--memory", default="256MiB", help="state.memory (default 256MiB)")
    parser.add_argument("--exchange", choices=["kafka", "local"], default="kafka", help="default kafka")
    parser.add_argument("--workers", type=rig.number, default=rig.CPUS, help="default: as many as there are CPUs; 1 with --exchange local")
    parser.add_argument("--limit", type=rig.number, default=600, help="seconds for the state, and for being back (default 600)")
    parser.add_argument("--rounds", type=rig.number, default=3, help="of kills (default 3)")


def task_positions(session, own):
    with session.kafka.positions(own.name, f"{own.name}-exchange") as positions:
        return rig.wait(positions, own.process, "the tasks' positions")


def restart(session, options, own, number):
    """Kills it, and has it back: seconds until it is ready, and until it has committed what came meanwhile."""
    tasks = task_positions(session, own) if options.exchange == "kafka" else []
    own.process.stop(signal.SIGKILL)
    start_ms = rig.START_MS + own.load.events * 1000 // own.load.rate + (31 + 62 * number) * rig.MINUTE_MS
    rig.load_events(session.kafka, own.load.topic, 1600, 1000, 1000, start_ms)
    ends = session.kafka.ends(own.load.topic)
    rig.load_events(session.kafka, own.load.topic, 1600, rig.CLOSING_EVENTS, 1000, start_ms + 30 * rig.MINUTE_MS)
    began = time.time()
    own.start()
    ready = own.wait_line("msg=ready") - began
    limit = Limit(options, own)
    rig.wait_committed(session.kafka, own.name, own.load.topic, ends, own.process, limit)
    if tasks:
        rig.wait_committed(session.kafka, own.name, f"{own.name}-exchange", [each + 1 for each in tasks], own.process, limit)
    return ready, time.time() - began, limit.why


def measure_groups(session, options, groups):
    events = max(PANES, EVENTS_MIN // groups) * groups
    load = rig.fill(session.kafka, session.topic("state"), groups, events, max(1, groups // PANE_SECONDS))
    more = (f"time: {{idle_lag: never}}\nlimits: {{groups: {groups}}}\nexchange: {options.exchange}\n"
            f"workers: {pipeline.workers_of(options)}")
    own = rig.Forestall(session.kafka, load, session.folder, f"{load.topic}-app", rig.HERE / "state.yaml", more=more,
                        memory=options.memory)
    own.start()
    started = own.started()
    limit = Limit(options, own)
    passed = min(load.events, rig.wait_committed(session.kafka, own.name, load.topic, load.ends, own.process, limit))
    ended = time.time()
    if options.exchange == "kafka":
        ended = rig.wait_quiet(session.kafka, f"{own.name}-changelog", own.process, limit)
    rate = passed / (ended - started)
    part = "all committed" if passed == load.events else f"{limit.why}: {passed:,} events were committed"
    time.sleep(SETTLE_SECONDS)
    peak, resident, disk = own.process.peak_mib(), own.process.resident_mib(), own.state_mib()
    session.say(f"{groups:,} groups: {rate:,.0f} events/s, {peak:,.0f} MiB, {disk:,.0f} MiB on disk, {part}")
    name = f"{groups:,} groups"
    lines = [
        rig.Line(name, "events/s", [rate], f"{part}; {load.describe()}; state.memory {options.memory}"),
        rig.Line(f"{name}, memory", "MiB", [peak], f"at most; {resident:,.0f} MiB at the end"),
        rig.Line(f"{name}, disk", "MiB", [disk], f"{disk * 2**20 / groups:,.0f} bytes a group"),
    ]
    if limit.why:
        lines.append(rig.Line(f"{name}, back after kill -9", "s", [], f"the state was not made: {limit.why}"))
    else:
        backs = [restart(session, options, own, number) for number in range(options.rounds)]
        why = "".join(each[2] for each in backs[-1:])
        lines.append(rig.Line(f"{name}, ready after kill -9", "s", [each[0] for each in backs],
                              f"{own.process.peak_mib():,.0f} MiB at most"))
        lines.append(rig.Line(f"{name}, committing after kill -9", "s", [] if why else [each[1] for each in backs], why))
    own.process.stop(signal.SIGKILL)
    own.clean()
    session.kafka.delete(load.topic)
    return lines


def measure(session, options):
    lines = []
    first = None
    for groups in options.groups or [100_000, 1_000_000, 10_000_000]:
        lines += measure_groups(session, options, groups)
        rate = next(line for line in lines if line.name == f"{groups:,} groups")
        if first is not None:
            rate.ratio = rig.ratio_of(rate.values, first.values, f"that of {first.name}")
        first = first or rate
    return lines
