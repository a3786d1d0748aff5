"""Latency at part load: from an event's production to the consumption of the recommendation that it leads to.

The load is written in real time, with the query of bench/query.yaml over it; one event in 5,000 is a probe, and each
probe leads to a recommendation (bench/latency.yaml). An event is applied when time has passed it, which is
`out_of_orderness` later, by its definition: what the engine adds to that is told apart. Recommendations are read as
committed.
"""

import datetime
import json
import threading
import time

import pipeline
import rig

NAME = "latency"
ABOUT = "from an event to its recommendation at half load: p50, p99, p99.9"
WARM_SECONDS = 10
OUT_OF_ORDERNESS_MS = 1000
PERCENTILES = (50, 99, 99.9)


def options(parser):
    parser.add_argument("--load", type=float, default=0.5, help="part of the rate at which the query runs (default 0.5)")
    parser.add_argument("--rate", type=rig.number, help="events a second instead, without measuring")
    parser.add_argument("--groups", type=rig.number, default=2000, help="default 2,000")
    parser.add_argument("--seconds", type=rig.number, default=30, help="of a round, after ten to warm up (default 30)")
    parser.add_argument("--rounds", type=rig.number, default=3)
    parser.add_argument("--exchange", choices=["kafka", "local"], default="kafka", help="default kafka")
    parser.add_argument("--workers", type=rig.number, default=rig.CPUS, help="default: as many as there are CPUs; 1 with --exchange local")


def full_rate(session, options):
    load = rig.fill(session.kafka, session.topic("full"), options.groups, 3_000_000, 8000)
    rate = pipeline.measure_one(session, load, "query", "full", options)[0]
    session.kafka.delete(load.topic)
    return rate


def percentile(sorted_values, part):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * part / 100))]


def milliseconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000


def measure_round(session, options, rate, number):
    """Milliseconds from production to consumption of each probe, sorted."""
    topic = session.topic("latency")
    session.kafka.create(topic)
    load = rig.Load(topic, int(rate * (options.seconds + WARM_SECONDS)), options.groups, rate, 0, 0, [], 0)
    rules = f"{rig.HERE}/query.yaml, {rig.HERE}/latency.yaml"
    own = rig.Forestall(session.kafka, load, session.folder, f"{topic}-app", rules,
                        source=f", out_of_orderness: {OUT_OF_ORDERNESS_MS}ms", more=f"exchange: {options.exchange}\nworkers: {pipeline.workers_of(options)}")
    own.start()
    own.started()
    consumer = session.kafka.consumer(f"{own.name}-recommendations", **{"fetch.wait.max.ms": 10})
    writing = threading.Thread(target=rig.load_events, args=(session.kafka, topic, options.groups, load.events, rate, 0, "paced"))
    began_ms = time.time() * 1000
    writing.start()
    found, last = [], time.monotonic()
    while writing.is_alive() or time.monotonic() - last < 5:
        message = consumer.poll(0.1)
        now_ms = time.time() * 1000
        if message is None or message.error() is not None:
            continue
        last = time.monotonic()
        record = json.loads(message.value())
        at_ms = milliseconds(record["first_seen"])
        if record["version"] == 1 and at_ms > began_ms + WARM_SECONDS * 1000:
            found.append(now_ms - at_ms)
    writing.join()
    consumer.close()
    behind = sum(session.kafka.ends(topic)) - load.events
    own.stop()
    own.clean()
    session.kafka.delete(topic)
    session.say(f"latency: round {number}: {len(found):,} probes at {rate:,} events/s, {behind} records more than written")
    return sorted(found)


def measure(session, options):
    rate = options.rate or int(full_rate(session, options) * options.load)
    measure_round(session, options, rate, "0, to warm the broker up")
    rounds = [measure_round(session, options, rate, number) for number in range(1, options.rounds + 1)]
    note = f"{rate:,} events/s, {min(map(len, rounds)):,} probes a round or more"
    lines = []
    for part in PERCENTILES:
        whole = [percentile(each, part) for each in rounds]
        lines.append(rig.Line(f"event to recommendation, p{part:g}", "ms", whole, note))
        lines.append(rig.Line(f"after time has passed the event, p{part:g}", "ms", [each - OUT_OF_ORDERNESS_MS for each in whole],
                              f"out_of_orderness {OUT_OF_ORDERNESS_MS} ms taken off"))
        note = ""
    return lines
