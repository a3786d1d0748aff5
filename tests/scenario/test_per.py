"""Recommendations of several groups, and those that take several detections, through the whole engine."""

HEAD = "apiVersion: forestall.io/v1\nkind: RuleSet\nmetadata: {name: per}\nrules:\n"

PODS = """- id: pods-oom
  from: {oom: {stream: incident, match: {root_cause: oom_killed}}}
  detect: {group_by: {service: event.service, pod: "event.labels['pod']"}, window: {size: 30d}, when: count(oom) >= 2}
  recommend:
    per: [service]
    category: infrastructure_resilience
    title: "Raise the memory limit of {{ group.service }}, as of {{ group.pod }}"
    complexity: low
    cooldown: 0s
  tests:
  - name: pods become one
    given: {stream: incident, service: cart, root_cause: oom_killed, severity: sev2}
    events:
    - {at: 0d, incident_id: i0, labels: {pod: b}}
    - {at: 1d, repeat: 2, every: 1d, incident_id: "a{{ n }}", labels: {pod: a}}
    - {at: 3d, incident_id: i3, labels: {pod: c}}
    - {at: 4d, incident_id: i4, labels: {pod: b}}
    expect:
    - {at: 2d, recommendation: {occurrences: 2, detections: 1, impact_score: 16}}
    - {at: 3d, recommendation: {occurrences: 3, detections: 1, impact_score: 24, title: "Raise the memory limit of cart, as of a"}}
    - {at: 4d, group: {service: cart}, that: "first_seen == timestamp('2024-01-01T00:00:00Z')",
       recommendation: {occurrences: 5, detections: 2, impact_score: 40, title: "Raise the memory limit of cart, as of b"}}
  - name: an incident moves from pod to pod
    given: {stream: incident, service: cart, root_cause: oom_killed, severity: sev2}
    events:
    - {at: 0d, repeat: 2, every: 1d, incident_id: "a{{ n }}", labels: {pod: a}}
    - {at: 2d, incident_id: a2, labels: {pod: b}}
    - {at: 3d, incident_id: a2, root_cause: capacity}
    - {at: 4d, incident_id: a2, root_cause: oom_killed}
    expect:
    - {at: 1d, recommendation: {version: 1, occurrences: 2, impact_score: 16}}
    - {at: 2d, recommendation: {version: 2, occurrences: 2, impact_score: 16, detections: 1}}   # its newest update is another
    - {at: 3d, recommendation: {version: 3, occurrences: 2, impact_score: 8}}
    - {at: 4d, recommendation: {version: 4, occurrences: 2, impact_score: 16, detections: 1}}
"""

EVENTS = """- id: hot
  from: {hot: {stream: telemetry, match: {name: cpu_usage}}}
  detect: {group_by: [service], window: {size: 1h}, when: count(hot) == 3 || count(hot) == 5}
  recommend: {per: [], category: architecture, title: t}
  tests:
  - name: a group's events count once
    given: {stream: telemetry, name: cpu_usage, value: 91}
    events:
    - {at: 0m, repeat: 2, every: 1m, service: b}
    - {at: 10m, repeat: 3, every: 1m, service: a}
    - {at: 20m, repeat: 3, every: 1m, service: b}
    expect:
    - {at: 12m, recommendation: {occurrences: 3}}
    - {at: 20m, recommendation: {occurrences: 6}}
    - {at: 22m, recommendation: {occurrences: 8, detections: 3}, that: "size(group) == 0"}
"""

OUTPUTS = """- id: as-many
  from: {bad: {stream: incident}}
  detect: {group_by: [service], window: {size: 1d, slide: 1d}, when: count(bad) >= 2}
  recommend: {per: [incidents], needs: {detections: 2, within: 10d}, category: architecture, title: t, cooldown: 0s}
  tests:
  - name: by the number of incidents
    given: {stream: incident, severity: sev1}
    events:
    - {at: 1h, repeat: 2, every: 1h, service: a, incident_id: "a{{ n }}"}
    - {at: 3d1h, repeat: 2, every: 1h, service: b, incident_id: "b{{ n }}"}
    - {at: 5d1h, repeat: 3, every: 1h, service: b, incident_id: "c{{ n }}"}
    - {at: 6d, service: a, incident_id: a1, status: cancelled}
    - {at: 7d1h, repeat: 2, every: 1h, service: b, incident_id: "d{{ n }}"}
    expect:
    - {at: 4d, group: {incidents: 2}, recommendation: {detections: 2, impact_score: 64}}
    - {at: 6d, recommendation: {impact_score: 48}}
    - {at: 8d, recommendation: {detections: 3, impact_score: 80}}
"""

NEEDS = """- id: spikes
  from: {cpu: {stream: telemetry, match: {name: cpu_usage}}}
  detect: {group_by: [service], window: {size: 10m, slide: 1m}, when: avg(cpu) > 80}
  recommend:
    needs: {detections: 3, within: 4d1s}
    category: infrastructure_resilience
    title: "Scale {{ group.service }}"
    complexity: low
    severity: sev3
  tests:
  - name: three spikes
    given: {stream: telemetry, service: frontend, name: cpu_usage, value: 91}
    events:
    - {at: 0d, repeat: 2, every: 2d}
    - {at: 4d, repeat: 2, every: 1d}
    expect:
    - {at: 4d1m, recommendation: {version: 1, detections: 3, firings: 21, frequency: 3, priority: P2}}
    - {at: 5d1m, recommendation: {detections: 4, firings: 31}}
    advance_to: 6d
  - name: two within the time are not three
    given: {stream: telemetry, service: frontend, name: cpu_usage, value: 91}
    events: [{at: 0d, repeat: 9, every: 2d1m}]
    expect: []
"""

ROOTS = """- id: shared-dependency
  from: {failing: {stream: incident, match: {severity: [sev1, sev2]}}}
  detect: {type: cascade, of: failing, within: 5m}
  recommend:
    per: [root]
    needs: {detections: 2, within: 30d}
    category: architecture
    title: "Decouple {{ affected }} from {{ root }}"
    cooldown: 0s
  tests:
  - name: each root for itself, and none is one too
    given: {stream: incident, severity: sev2, lasts: 30m}
    events:
    - {at: 0d, incident_id: w1, service: web}
    - {at: 0d1m, incident_id: a1, service: api}
    - {at: 1d, incident_id: l1, service: left}
    - {at: 1d1m, incident_id: r1, service: right}
    - {at: 2d, incident_id: w2, service: web}
    - {at: 2d1m, incident_id: a2, service: api}
    - {at: 3d, incident_id: l2, service: left}
    - {at: 3d1m, incident_id: r2, service: right}
    - {at: 4d, incident_id: a1, service: api, severity: sev4}
    - {at: 5d, incident_id: a1, service: api, severity: sev1}
    expect:
    - {at: 2d5m, recommendation: {group: {root: api}, detections: 2, firings: 2, occurrences: 2, impact_score: 32, services: [api, web],
                                  title: "Decouple api, web from api"}}
    - {at: 3d5m, group: {root: null}, recommendation: {detections: 2, impact_score: 32, services: [left, right]}}
    - {at: 4d, group: {root: api}, recommendation: {impact_score: 24, occurrences: 2, detections: 2}}
    - {at: 5d, group: {root: api}, recommendation: {impact_score: 40, occurrences: 2, detections: 2}}
    - {at: 5d, group: {root: null}, recommendation: {version: 3}}   # as its incidents were resolved
"""

VERSIONS = """- id: unstaged
  from:
    staged: {stream: deployment, match: {environment: staging, status: succeeded}}
    live:   {stream: deployment, match: {environment: production, status: succeeded}}
  detect: {type: sequence, group_by: [service, version], within: 1d, steps: [{not: staged}, live]}
  recommend:
    per: [service]
    needs: {detections: 2, within: 30d}
    category: deployment_pipeline
    title: "Require staging for {{ group.service }}, as of {{ live.version }}"
    severity: sev2
    cooldown: 0s
  tests:
  - name: two versions of one service
    given: {stream: deployment, status: succeeded, environment: production, service: pay}
    events:
    - {at: 0d, version: v0}
    - {at: 2d, version: v1}
    - {at: 3d, version: v1, service: cart}
    - {at: 4d, version: v2, environment: staging}
    - {at: 4d1h, version: v2}
    - {at: 5d, version: v3}
    - {at: 40d, version: v4}
    expect:
    - {at: 5d, recommendation: {group: {service: pay}, detections: 2, frequency: 2, priority: P3, title: "Require staging for pay, as of v3"}}
    - {at: 40d, recommendation: {detections: 3, frequency: 1}}
"""


def passes(forestall_does, tmp_path, rules, count, topology=""):
    (tmp_path / "r.yaml").write_text(HEAD.replace("rules:", topology + "rules:") + rules)
    said = forestall_does("test", "r.yaml").stdout
    assert f"{count} passed, 0 failed" in said


def test_groups_share_a_recommendation(forestall_does, tmp_path):
    passes(forestall_does, tmp_path, PODS, 2)


def test_events_count_once_a_group(forestall_does, tmp_path):
    passes(forestall_does, tmp_path, EVENTS, 1)


def test_an_output_says_which(forestall_does, tmp_path):
    passes(forestall_does, tmp_path, OUTPUTS, 1)


def test_several_detections_are_needed(forestall_does, tmp_path):
    passes(forestall_does, tmp_path, NEEDS, 2)


def test_roots_of_cascades(forestall_does, tmp_path):
    passes(forestall_does, tmp_path, ROOTS, 1, "topology: {web: [api], both: [left, right]}\n")


def test_versions_of_a_service(forestall_does, tmp_path):
    passes(forestall_does, tmp_path, VERSIONS, 1)
