"""The pipeline: `forestall run`, exactly once, against a bare librdkafka consumer of the same topic, in turns.

The topic is filled once; a few events of a later time close every window over the others. In each round the bare consumer
reads it all, then `forestall run` does with each rule set, with new state under a new application id. Its time runs from
the log line just before its first fetch until the group's committed positions have passed every event but the late few:
with the exchange in memory all windows are evaluated by then and all results committed. Over Kafka (the default) results
follow a commit or two later: of the query the time runs until its last one was appended. Every event must have been
counted: what the query publishes is added up.
"""

import rig

NAME = "pipeline"
ABOUT = "`forestall run`, exactly once, against a bare librdkafka consumer of the same topic"
SETS = {"query": "query.yaml", "ten rules": "rules.yaml"}


def options(parser):
    parser.add_argument("--events", type=rig.number, help="default 30,000,000, some ten seconds; see --seconds")
    parser.add_argument("--seconds", type=rig.number, help="as many events as forestall takes so long for, by a trial before")
    parser.add_argument("--groups", type=rig.number, default=2000, help="default 2,000; with 100,000 a partial holds few events")
    parser.add_argument("--rate", type=rig.number, default=8000,
                        help="events a second of event time (default 8,000: with 2,000 groups 240 events a partial)")
    parser.add_argument("--rounds", type=rig.number, default=3)
    parser.add_argument("--exchange", choices=["kafka", "local"], default="kafka", help="default kafka")
    parser.add_argument("--workers", type=rig.number, default=rig.CPUS, help="default: as many as there are CPUs; 1 with --exchange local")
    parser.add_argument("--set", action="append", choices=list(SETS), help="only this one: query (count and sum) or 'ten rules'")
    parser.add_argument("--under", default="", help="a program that the processor runs under, such as 'perf record'")


def workers_of(options):
    return options.workers if options.exchange == "kafka" else 1


def measure_one(session, load, rules, number, options, under=()):
    """Events a second, CPU microseconds an event, peak memory in MiB."""
    own = rig.Forestall(session.kafka, load, session.folder, f"{load.topic}-{number}", rig.HERE / SETS[rules],
                        more=f"time: {{idle_lag: never}}\nexchange: {options.exchange}\nworkers: {workers_of(options)}")
    own.start(under)
    started = own.started()
    seconds = own.wait_committed(load.ends) - started
    if options.exchange == "kafka":
        rig.wait_quiet(session.kafka, f"{own.name}-scorecards" if rules == "query" else f"{own.name}-exchange", own.process)
    cpu, peak = own.process.cpu_seconds(), own.process.peak_mib()
    counters = own.stop(bool(under))
    # What was read before the group shared the partitions out anew is read again, and counted again here.
    if counters["events"] < load.events:
        rig.fail(f"{counters['events']:,} events were read, not {load.events:,}")
    for name in ("late", "undecodable"):
        if counters[name] != 0:
            rig.fail(f"{name} is {counters[name]}")
    if rules == "query":
        counted, total, last_ms = own.counted()
        seconds = max(seconds, last_ms / 1000 - started)
        if (counted, total) != (load.events, load.values):
            rig.fail(f"{counted:,.0f} events with a sum of {total:,.0f} were counted, not {load.events:,} with {load.values:,}")
    own.clean()
    return load.events / seconds, cpu / load.events * 1e6, peak


def events_for(session, options):
    if options.seconds is None:
        return options.events or 30_000_000
    load = rig.fill(session.kafka, session.topic("trial"), options.groups, 10_000_000, options.rate)
    sets = options.set or list(SETS)
    trials = [measure_one(session, load, each, f"trial-{number}", options)[0] for number, each in enumerate([sets[0], *sets])]
    session.kafka.delete(load.topic)
    # The first finds a broker that has just started; in all of them the start weighs more than it will.
    return int(max(trials[1:]) * 1.2 * options.seconds)


def measure(session, options):
    sets = options.set or list(SETS)
    load = rig.fill(session.kafka, session.topic("pipeline"), options.groups, events_for(session, options), options.rate)
    bare, found = [], {each: [] for each in sets}
    rig.warm_up(session, load)
    for number in range(1, options.rounds + 1):
        bare.append(rig.bare(session.kafka, load.topic))
        for each in sets:
            found[each].append(measure_one(session, load, each, f"{number}-{sets.index(each)}", options, options.under.split()))
            session.say(f"round {number}: bare {bare[-1]:,.0f}/s, {each} {found[each][-1][0]:,.0f}/s")
    session.kafka.delete(load.topic)
    lines = [rig.Line("bare consumer", "events/s", bare, load.describe())]
    for each in sets:
        rates, cpus, peaks = zip(*found[each])
        counted = f"counted {load.events:,} of {load.events:,}" if each == "query" else "all read, none late"
        lines.append(rig.Line(f"forestall, {each}", "events/s", list(rates), ratio=rig.ratio_of(rates, bare, "bare"),
                              note=f"{counted}; {rig.figure(rig.statistics.median(cpus))} us CPU an event; "
                                   f"{max(peaks):,.0f} MiB at most; {workers_of(options)} workers"))
    return lines
