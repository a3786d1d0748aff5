"""The micro benches: C programs that measure one part of the data path in their own process (codec_bench.c, micro_bench.c).

Each prints its lines between tabs: name, unit, note, and a figure a run. A run's time is the thread's, so that others on
the machine do not count.
"""

import rig

ABOUT = {
    "decode": "nanoseconds to decode an event: the decode plan, Avro-C's reader, JSON",
    "match": "nanoseconds to find what an event matches among 10, 100 and 1,000 rules",
    "fold": "nanoseconds to fold an event into its partial, and to merge two",
    "window": "nanoseconds to take a pane and evaluate a window of five",
    "store": "nanoseconds to write an entry of a batch to RocksDB, and to read one",
    "path": "all of it in one process, from bytes to committed: time, allocations and locks an event",
}


def options(parser):
    pass


def measure(session, _, name):
    if name == "decode":
        said = rig.run(rig.BIN / "codec_bench", session.seed)
    else:
        said = rig.run(rig.BIN / "micro_bench", name, session.seed, rig.HERE / "rules.yaml", session.folder / "store")
    lines = []
    for each in said.splitlines():
        what, unit, note, values = each.split("\t")
        lines.append(rig.Line(what, unit, [float(value) for value in values.split()], note))
    for line in lines[1:] if name in ("decode", "match") else ():
        line.ratio = f"{line.median() / lines[0].median():.1f} x the first"
    return lines
