"""Scaling out: two instances against one, over the same topic, in turns. It needs the exchange over Kafka."""

import re
import subprocess
import time

import rig

NAME = "scale"
ABOUT = "two instances that share the work, against one"


def options(parser):
    parser.add_argument("--events", type=rig.number, default=5_000_000, help="default 5,000,000")
    parser.add_argument("--groups", type=rig.number, default=2000, help="default 2,000")
    parser.add_argument("--rate", type=rig.number, default=8000, help="events a second of event time (default 8,000)")
    parser.add_argument("--rounds", type=rig.number, default=3)


def instances(session, load, count, number):
    name = f"{load.topic}-{count}-{number}"
    return [rig.Forestall(session.kafka, load, session.folder, name, rig.HERE / "query.yaml", instance=f"-{each}",
                          more="time: {idle_lag: never}\nexchange: kafka") for each in range(count)]


def refusal(session, load):
    """Why this version does not share work; empty where it does."""
    own = instances(session, load, 1, "trial")[0]
    said = subprocess.run([rig.BIN / "forestall", "topics", "create", "-c", own.config], capture_output=True, text=True)
    if said.returncode != 0:
        return said.stderr.partition("error: ")[2].splitlines()[0]
    own.start()
    while own.process.process.poll() is None and not own.lines("msg=ready"):
        time.sleep(rig.POLL_SECONDS)
    ended = own.process.process.poll() is not None
    own.process.stop()
    own.clean()
    return re.findall(r'level=error msg="?(.*?)"?$', own.process.log, re.MULTILINE)[-1] if ended else ""


def measure_count(session, load, count, number):
    """Events a second of so many instances."""
    all_of = instances(session, load, count, number)
    began = time.time()
    for each in all_of:
        each.start()
    for each in all_of:
        each.wait_line("msg=ready")
    all_of[0].wait_committed(load.ends)
    # What was read is on the exchange by then, and need not have been applied.
    rig.wait_quiet(session.kafka, f"{all_of[0].name}-scorecards", all_of[0].process)
    for each in all_of:
        each.stop()
    counted, total, last_ms = all_of[0].counted()
    if (counted, total) != (load.events, load.values):
        rig.fail(f"{counted:,.0f} events with a sum of {total:,.0f} were counted, not {load.events:,} with {load.values:,}")
    all_of[0].clean()
    return load.events / (last_ms / 1000 - began)


def measure(session, options):
    trial = rig.fill(session.kafka, session.topic("trial"), options.groups, 1000, options.rate)
    why = refusal(session, trial)
    session.kafka.delete(trial.topic)
    if why:
        return [rig.Line("two instances", "events/s", [], why)]
    load = rig.fill(session.kafka, session.topic("scale"), options.groups, options.events, options.rate)
    rates = {1: [], 2: []}
    for number in range(1, options.rounds + 1):
        for count in rates:
            rates[count].append(measure_count(session, load, count, number))
        session.say(f"scale: round {number}: {rates[1][-1]:,.0f}/s by one, {rates[2][-1]:,.0f}/s by two")
    session.kafka.delete(load.topic)
    return [rig.Line("one instance", "events/s", rates[1], f"from its start on; {load.describe()}"),
            rig.Line("two instances", "events/s", rates[2], ratio=rig.ratio_of(rates[2], rates[1], "one"))]
