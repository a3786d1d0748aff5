"""What `tests/crash/run` is told. Of the standard library alone, so that --help needs nothing else."""

import argparse
import random
import sys


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="tests/crash/run", description="Runs several instances on three Kafka brokers under load; kills instances "
        "and brokers with kill -9, lets instances sleep past their session, restarts them one after the other and changes "
        "their rules; in the end compares every version of every recommendation, the scorecards and the dead letters with "
        "`forestall replay` of the topics, and the state with that of an undisturbed run. Exits with 0 when nothing is lost, duplicated or different, else with 1.",
        epilog="It installs what it needs and is missing, as tests/run does, and builds build/dev/forestall, unless TEST_BIN names a program. Logs are kept when something is wrong.")
    parser.add_argument("--minutes", type=float, default=5, help="how long the trouble lasts (default 5); settling and "
                        "comparing take two to three minutes more")
    parser.add_argument("--seed", type=int, help="of the load and of what happens when (default: a random one, printed)")
    parser.add_argument("--instances", type=int, default=3, help="how many (default 3)")
    parser.add_argument("--workers", type=int, default=1, help="of each instance (default 1)")
    parser.add_argument("--rate", type=int, default=300, help="events a second (default 300)")
    parser.add_argument("--keep", action="store_true", help="keep the logs even when all is well")
    options = parser.parse_args(argv)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    if not 0.1 <= options.minutes <= 1440 or not 1 <= options.instances <= 8 or not 1 <= options.workers <= 4:
        parser.error("--minutes is 0.1 to 1440, --instances 1 to 8, --workers 1 to 4")
    if not 1 <= options.rate <= 20000:
        parser.error("--rate is 1 to 20000")
    return options


if __name__ == "__main__":
    parse(sys.argv[1:])
