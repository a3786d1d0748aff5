"""What it costs that partials wait on the disk: pending_bench.c, in memory and with a budget, in turns."""

import rig

NAME = "pending"
ABOUT = "5 M partials that wait for their time in memory, or on the disk: nanoseconds each, and memory"


def options(parser):
    parser.add_argument("--partials", type=rig.number, default=5_000_000, help="default 5,000,000")
    parser.add_argument("--budget", type=rig.number, default=16, help="MiB of them in memory (default 16)")
    parser.add_argument("--rounds", type=rig.number, default=3, help="default 3")


def measure(session, options):
    folder = session.folder / "pending"
    folder.mkdir()
    figures = {}
    for _ in range(options.rounds):
        for more in ([], [folder]):
            said = rig.run(rig.BIN / "pending_bench", options.partials, options.budget << 20, *more)
            for each in said.splitlines():
                name, unit, note, value = each.split("\t")
                figures.setdefault((name, unit, note), []).append(float(value))
    lines = [rig.Line(f"{name}, {note}", unit, values) for (name, unit, note), values in figures.items()]
    half = len(lines) // 2
    for line, base in zip(lines[half:half + 3], lines):
        line.ratio = rig.ratio_of(line.values, base.values, "that in memory")
    return lines
