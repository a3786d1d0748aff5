"""The peers: the query of bench/query.yaml on Kafka Streams and on Flink, over the same topic and in turns.

Each is started anew each round. Its time runs from the first event that it reads until the broker appended its last
result; what it counted is what its results say, and the events of every window are known. The Java programs are in
peers/, a Maven project each.
"""

import re

import rig

NAME = "peers"
ABOUT = "the same query on Kafka Streams and Flink: rate, memory, and how many events each counted"
OPENED = ["java.base/java.util", "java.base/java.lang", "java.base/java.time"]  # what Flink's serializers look into
PEERS = {"streams": ("streams", ""), "flink-rocksdb": ("flink", "rocksdb"), "flink-hashmap": ("flink", "hashmap")}


def options(parser):
    parser.add_argument("--events", type=rig.number, default=30_000_000,
                        help="default 30,000,000: a start and the last commits take some two seconds of each")
    parser.add_argument("--groups", type=rig.number, default=2000, help="default 2,000")
    parser.add_argument("--rate", type=rig.number, default=8000, help="events a second of event time (default 8,000)")
    parser.add_argument("--rounds", type=rig.number, default=3)
    parser.add_argument("--threads", type=rig.number, default=2, help="of a peer (default 2)")
    parser.add_argument("--heap", default="1g", help="of a peer's JVM (default 1g)")
    parser.add_argument("--peer", action="append", choices=list(PEERS), help="only this one; repeatable")


def build(project):
    """Fetches what the peer needs from Maven Central and compiles it; returns its class path."""
    target = rig.ROOT / "build" / "peers" / project
    rig.run("mvn", "-B", "-q", "-ntp", "-Dstyle.color=never", "-f", rig.ROOT / "bench/peers" / project / "pom.xml", "compile",
            "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies", "-DincludeScope=runtime",
            f"-DoutputDirectory={target}/lib")
    return f"{target}/classes:{target}/lib/*"


class Peer:
    """One run of a peer, from a new start."""

    def __init__(self, session, load, peer, number, options):
        project, mode = PEERS[peer]
        self.kafka, self.load = session.kafka, load
        self.name = f"{load.topic}-{peer}-{number}"
        self.output = f"{self.name}-output"
        self.kafka.create(self.output)
        folder = session.folder / self.name
        folder.mkdir()
        self.process = rig.Process(
            ["java", f"-Xmx{options.heap}", *[f"--add-opens={each}=ALL-UNNAMED" for each in OPENED],
             "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", build(project), "io.forestall.bench.Query",
             self.kafka.bootstrap, load.topic, self.output, self.name, folder, options.threads, *[mode] * bool(mode)], folder / "log")

    def started(self):
        rig.wait(lambda: "first " in self.process.log, self.process, "the first event")
        return min(map(int, re.findall(r"^first (\d+)", self.process.log, re.MULTILINE))) / 1000

    def wait(self):
        """Waits until it has read all and no more results come."""
        rig.wait_committed(self.kafka, self.name, self.load.topic, self.load.ends, self.process)
        rig.wait_quiet(self.kafka, self.output, self.process)

    def measure(self):
        """Events a second, peak memory in MiB, events counted."""
        started = self.started()
        self.wait()
        peak = self.process.peak_mib()
        self.process.stop()
        counts, last_ms = {}, 0  # of windows that lie side by side; the newest result of each is what it comes to
        for key, value, appended_ms in self.kafka.records(self.output):
            count, _, end_ms = value.split()
            last_ms = max(last_ms, appended_ms)
            if int(end_ms) % (5 * rig.MINUTE_MS) == 0:
                counts[key] = int(count)
        self.kafka.delete_of(self.name)
        return self.load.events / (last_ms / 1000 - started), peak, sum(counts.values())


def forestall(session, load, number):
    own = rig.Forestall(session.kafka, load, session.folder, f"{load.topic}-forestall-{number}", rig.HERE / "query.yaml",
                        more=f"time: {{idle_lag: never}}\nexchange: kafka\nworkers: {rig.CPUS}")
    own.start()
    started = own.started()
    own.wait_committed(load.ends)
    rig.wait_quiet(session.kafka, f"{own.name}-scorecards", own.process)  # results follow a commit or two later
    peak = own.process.peak_mib()
    own.stop()
    counted, total, last_ms = own.counted()
    if total != load.values:
        rig.fail(f"the sum of all values is {total}, not {load.values}")
    own.clean()
    return load.events / (last_ms / 1000 - started), peak, counted


def measure(session, options):
    chosen = options.peer or list(PEERS)
    for project in {PEERS[each][0] for each in chosen}:
        build(project)
    load = rig.fill(session.kafka, session.topic("peers"), options.groups, options.events, options.rate)
    rig.warm_up(session, load)
    rates = {each: [] for each in ("bare", "forestall", *chosen)}
    peaks = {each: [] for each in rates}
    counts = {each: [] for each in rates}
    for number in range(1, options.rounds + 1):
        rates["bare"].append(rig.bare(session.kafka, load.topic))
        for each in ("forestall", *chosen):
            found = forestall(session, load, number) if each == "forestall" else Peer(session, load, each, number, options).measure()
            rates[each].append(found[0])
            peaks[each].append(found[1])
            counts[each].append(found[2])
            session.say(f"{each}, round {number}: {found[0]:,.0f} events/s, {found[1]:,.0f} MiB, {found[2]:,.0f} events counted")
    session.kafka.delete(load.topic)
    lines = [rig.Line("bare consumer", "events/s", rates["bare"], load.describe())]
    for each in ("forestall", *chosen):
        share = min(counts[each]) / load.events
        base = "bare" if each == "forestall" else "forestall"
        lines.append(rig.Line(each, "events/s", rates[each], ratio=rig.ratio_of(rates[each], rates[base], base),
                              note=f"counted {min(counts[each]):,.0f} of {load.events:,} ({share:.1%}); {max(peaks[each]):,.0f} MiB at most"))
    return lines
