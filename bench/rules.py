"""The rules bench: what 1,000 rules cost against ten, by `forestall replay` over one file of telemetry, in turns.

The ten are bench/rules.yaml. Each set of a thousand is told apart in another way; where its rules are `more`, they come
to the ten and select nothing, so the same is detected; where they are `alone`, each event is selected by one of them. What
is compared is CPU seconds, loading included; a ratio is to be below 3. Then, how long it takes to check many rules.
"""

import os
import statistics
import subprocess

import rig

NAME = "rules"
ABOUT = "what 1,000 rules cost against ten on the same telemetry, by `forestall replay` of a file"
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
        rig.fail(f"{' '.join(map(str, command))}\n{said[-3000:]}")
    return used.ru_utime + used.ru_stime


def write_set(folder, name, text):
    """A configuration over one rule file; returns its path."""
    (folder / f"{name}.rules.yaml").write_text(text)
    config = folder / f"{name}.yaml"
    config.write_text(f"rules: [{folder / name}.rules.yaml]\n")
    return config


def options(parser):
    parser.add_argument("--events", type=rig.number, default=1_000_000, help="default 1,000,000")
    parser.add_argument("--services", type=rig.number, default=200, help="default 200")
    parser.add_argument("--rate", type=rig.number, default=8000, help="events a second of event time (default 8,000)")
    parser.add_argument("--rounds", type=rig.number, default=5)


def measure(session, options):
    folder = session.folder / NAME
    folder.mkdir()
    forestall, events = rig.BIN / "forestall", folder / "events.jsonl"
    rig.run(forestall, "gen", "--scenario", "telemetry", "--events", options.events, "--services", options.services,
            "--rate", options.rate, "--seed", session.seed, "--out", events)
    ten = (rig.HERE / "rules.yaml").read_text()
    kinds = inputs(options.services)
    configs = {"10 rules": write_set(folder, "ten", ten)}
    for number, (name, more, input_of) in enumerate(kinds):
        text = ten + rule_set(RULES - ten.count("- id: "), input_of) if more else HEAD + rule_set(RULES, input_of)
        configs[f"1,000 rules: {name}"] = write_set(folder, f"set-{number}", text)
    costs = {name: [] for name in configs}
    for number in range(options.rounds):
        for name, config in configs.items():
            seconds = cpu([forestall, "replay", "-c", config, "--file", events, "--out", "/dev/null"])
            costs[name].append(seconds / options.events * 1e6)
        session.say(f"rules: round {number + 1} of {options.rounds}")
    lines = []
    for name, values in costs.items():
        line = rig.Line(name, "us/event", values)
        if lines:
            line.ratio = rig.ratio_of(values, costs["10 rules"], "ten rules")
            median = statistics.median(value / base for value, base in zip(values, costs["10 rules"]))
            line.missed = f"{median:.2f} of ten rules is not below {RATIO_MAX}" if median >= RATIO_MAX else ""
        lines.append(line)
    for count in (RULES, 10 * RULES):
        config = write_set(folder, "check", HEAD + rule_set(count, kinds[1][2]))
        lines.append(rig.Line(f"checking {count:,} rules", "s", [cpu([forestall, "check", config]) for _ in range(options.rounds)]))
    return lines
