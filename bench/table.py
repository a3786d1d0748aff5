"""Runs the benches that are named and prints their table: `bench/run` is its command line."""

import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time

import latency
import micro
import peers
import pending
import pipeline
import rig
import rules
import scale
import state

WIDTH = 100
BENCHES = {**{name: micro for name in micro.ABOUT}, **{each.NAME: each for each in (rules, pending, pipeline, peers, state, scale, latency)}}
SHORT = [*micro.ABOUT, "pipeline"]
ALL = "all"


def about(name):
    said = BENCHES[name].ABOUT
    return said[name] if isinstance(said, dict) else said


class Session:
    """What a run of benches has: a folder, a seed, and a Kafka that is started when one asks for it."""

    def __init__(self, seed):
        self.seed = seed
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="forestall-bench."))
        self._kafka, self._topics = None, 0

    @property
    def kafka(self):
        if self._kafka is None:
            self.say("starting Kafka")
            folder = self.folder / "kafka"
            said = rig.run(rig.ROOT / "tests/kafka", "start", folder)
            self._kafka = rig.Kafka(said.split()[-1])
        return self._kafka

    def topic(self, name):
        self._topics += 1
        return f"bench-{name}-{self._topics}"

    def say(self, text):
        print(f"# {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)

    def close(self):
        rig.Process.stop_all()
        if self._kafka is not None:
            subprocess.run([rig.ROOT / "tests/kafka", "stop", self.folder / "kafka"], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def arguments(argv):
    """The names asked for, each with the parsed options that go with it."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--output", choices=["table", "json"], help="default table")
    common.add_argument("--seed", type=int, help="of what is made up (default 1)")
    parser = argparse.ArgumentParser(
        parents=[common], prog="bench/run", formatter_class=argparse.RawDescriptionHelpFormatter, usage="bench/run [NAME [options] | all]",
        description="Measures Forestall and prints a table: medians, least and greatest of the rounds, ratios within this run.",
        epilog="benches:\n" + "\n".join(f"  {name:9} {about(name)}" for name in BENCHES) +
               f"\n  {ALL:9} every one of them, with its defaults (well over an hour)\n\n"
               "It builds the release preset itself, and installs the Debian packages that it needs and that are missing;\n"
               "with --no-install it installs nothing, and what is missing makes it fail.\n\n"
               "`bench/run NAME --help` tells a bench's own options. Without a name this help is printed, and the short\n"
               f"ones are run: {' '.join(SHORT)}.")
    commands = parser.add_subparsers(dest="name", metavar="NAME")
    parser.set_defaults(output="table", seed=1)
    for name in BENCHES:
        BENCHES[name].options(commands.add_parser(name, parents=[common], prog=f"bench/run {name}", description=about(name)))
    commands.add_parser(ALL, parents=[common], prog=f"bench/run {ALL}")
    chosen = parser.parse_args(argv)
    if chosen.name in BENCHES:
        return [(chosen.name, argv, chosen)], chosen
    if chosen.name is None:
        parser.print_help(sys.stderr)
        names = SHORT
    else:
        names = list(BENCHES)
    given = ["--seed", str(chosen.seed)]
    return [(name, [name, *given], parser.parse_args([name, *given])) for name in names], chosen


def build():
    """Only what the benches run."""
    targets = ["forestall", *[each.stem for each in rig.HERE.glob("*_bench.c")]]
    for command in (["cmake", "--preset", "release"],
                    ["cmake", "--build", "--preset", "release", "--parallel", str(os.cpu_count()), "--target", *targets]):
        done = subprocess.run(command, cwd=rig.ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            rig.fail(f"the release preset does not build:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def machine():
    model = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    revision = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=rig.ROOT, capture_output=True, text=True).stdout.strip()
    return (f"{os.cpu_count()} cores of {model.group(1) if model else 'an unknown kind'}, {memory:.0f} GiB, load {os.getloadavg()[0]:.1f}; "
            f"revision {revision or 'unknown'}")


def print_line(line):
    if not line.values:
        print("\n".join(textwrap.wrap(f"{line.name}: not available: {line.note}", WIDTH, initial_indent="  ",
                                      subsequent_indent="      ")))
        return
    values = f"{rig.figure(line.median()):>10} {line.unit}"
    spread = f"({rig.figure(min(line.values))} to {rig.figure(max(line.values))})" if len(line.values) > 1 else ""
    print(f"  {line.name:41} {values:23} {spread:22}".rstrip())
    more = "; ".join(each for each in (line.ratio, line.note) if each)
    if more:
        print(textwrap.fill(more, WIDTH, initial_indent="      ", subsequent_indent="      "))


def main(argv):
    wanted, chosen = arguments(argv)
    # What was started ends with this process, however it is told to end.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda number, _: sys.exit(128 + number))
    build()
    session = Session(chosen.seed)
    lines = []
    where = machine()
    if chosen.output == "table":
        print(where, flush=True)
    try:
        for name, command, own in wanted:
            found = micro.measure(session, own, name) if BENCHES[name] is micro else BENCHES[name].measure(session, own)
            command = shlex.join(["bench/run", *command])
            for line in found:
                line.command = command
            lines += found
            if chosen.output == "table":
                print(f"$ {command}")
                for line in found:
                    print_line(line)
                sys.stdout.flush()
    finally:
        session.close()
    if chosen.output == "json":
        print(json.dumps({"machine": where, "lines": [line.as_json() for line in lines]}, indent=2))
    missed = [f"{line.name}: {line.missed}" for line in lines if line.missed]
    sys.exit(f"bench: {'; '.join(missed)}" if missed else 0)


main(sys.argv[1:])
