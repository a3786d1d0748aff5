"""The rules bench: what 1,000 rules cost against ten, by `forestall replay` over one file of telemetry, in turns.

The ten are bench/rules.yaml. Each set of a thousand is told apart in another way; where its rules are `more`, they come
to the ten and select nothing, so the same is detected; where they are `alone`, each event is selected by one of them. What
is compared is CPU seconds, loading included. Prints medians and ratios, and how long a set of 10,000 rules takes to
check; ends with status 1 where a ratio is not below 3.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys

RULES = 1000
RATIO_MAX = 3
NAMES = ["request_latency_ms", "cpu_usage", "memory_usage", "error_rate", "http_requests_per_second", "connections_active",
         "disk_usage", "redis_connection_errors"]
HEAD = "apiVersion: forestall.io/v1\nkind: RuleSet\nrules:\n"
RULE = """\
- id: more-{i}
  from: {{x: {{stream: telemetry, {input}}}}}
  detect:
    group_by: [service]
    window: {{size: 5m, slide: 1m}}
    when: count(x) > 2000 && max(x) > 399
  recommend:
    category: code_quality
    title: "Look after {{{{ group.service }}}}"
    severity: sev4
    spec: {{problem: "{{{{ count(x) }}}} of {{{{ max(x) }}}} at most."}}
  tests:
  - name: none
    given: {{service: checkout}}
    events: [{{at: 0s, stream: telemetry, name: cpu_usage, value: 1}}]
    expect: []
"""


def inputs(services):
    """How a thousand rules are told apart: name, whether the ten stay, the input of rule i."""
    def service(i):
        return f"service-{i % services:04}"

    return [
        ("others' services", True, lambda i: f"match: {{service: other-{i // 8}, name: {NAMES[i % 8]}}}"),
        ("pairs", True, lambda i: f"match: {{service: {service(i)}, name: other_{i // services}}}"),
        ("pairs in where", True,
         lambda i: f"where: \"event.service == '{service(i)}' && event.name == 'other_{i // services}'\""),
        ("lists in where", True, lambda i: f"where: \"event.service in ['other-{i}', 'another-{i}']\""),
        ("name prefixes", True, lambda i: f"where: event.name.startsWith('{NAMES[i % 8]}_{i // 8}')"),
        ("shared services, name prefixes", True,
         lambda i: f"match: {{service: {service(i)}}}, where: event.name.startsWith('{NAMES[i % 8]}_{i // 8}')"),
        ("one of the stream's pairs each", False,
         lambda i: f"match: {{service: service-{i // 8 % services:04}, name: {NAMES[i % 8]}}}"),
    ]


def rule_set(count, input_of):
    return "".join(RULE.format(i=i, input=input_of(i)) for i in range(count))


def cpu(command):
    """CPU seconds of a command that must succeed."""
    process = subprocess.Popen([str(each) for each in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"rules: error: {' '.join(map(str, command))}\n{said[-3000:]}")
    return used.ru_utime + used.ru_stime


def write_set(folder, name, text):
    """A configuration over one rule file; returns its path."""
    (folder / f"{name}.rules.yaml").write_text(text)
    config = folder / f"{name}.yaml"
    config.write_text(f"rules: [{folder / name}.rules.yaml]\n")
    return config


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--forestall", required=True)
    parser.add_argument("--folder", required=True, help="an empty folder for events and rules")
    parser.add_argument("--events", type=int, default=1000000)
    parser.add_argument("--services", type=int, default=200)
    parser.add_argument("--rate", type=int, default=8000, help="events a second of event time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = pathlib.Path(options.folder)
    events = folder / "events.jsonl"
    cpu([options.forestall, "gen", "--scenario", "telemetry", "--events", options.events, "--services", options.services,
         "--rate", options.rate, "--seed", options.seed, "--out", events])
    ten = (pathlib.Path(__file__).parent / "rules.yaml").read_text()
    kinds = inputs(options.services)
    configs = {"ten": write_set(folder, "ten", ten)}
    for number, (name, more, input_of) in enumerate(kinds):
        text = ten + rule_set(RULES - ten.count("- id: "), input_of) if more else HEAD + rule_set(RULES, input_of)
        configs[name] = write_set(folder, f"set-{number}", text)
    seconds = {name: [] for name in configs}
    for _ in range(options.rounds):
        for name, config in configs.items():
            seconds[name].append(cpu([options.forestall, "replay", "-c", config, "--file", events, "--out", "/dev/null"]))
    print(f"{options.events:,} telemetry events, {options.services:,} services, seed {options.seed}; medians of "
          f"{options.rounds} rounds, CPU us an event")
    ratios = []
    for name, values in seconds.items():
        paired = [value / ten for value, ten in zip(values, seconds["ten"])]
        ratios.append(statistics.median(paired))
        label = "10 rules" if name == "ten" else f"1,000 rules: {name}"
        print(f"{label:45} {statistics.median(values) / options.events * 1e6:.2f}, ratio {ratios[-1]:.2f} "
              f"({min(paired):.2f} to {max(paired):.2f})")
    for count in (RULES, 10 * RULES):
        config = write_set(folder, "check", HEAD + rule_set(count, kinds[1][2]))
        print(f"{count:,} rules checked in {cpu([options.forestall, 'check', config]):.2f} s of CPU")
    sys.exit(0 if max(ratios) < RATIO_MAX else f"rules: a ratio is not below {RATIO_MAX}")


main()
