"""`forestall report` over handmade versions and over the demo's month: Markdown, HTML, JSON, issues and the three questions."""

import html.parser
import json
import re

import pytest

import harness

NOW = "2026-03-16T00:00:00.000Z"
OLD = "2026-02-20T00:00:00.000Z"


def record(rule, impact=20, version=1, **fields):
    """A recommendation as `forestall replay` writes it; fields replace what a usual one has."""
    spec = {"problem": f"{rule} happened.", "solution": f"Mend {rule}", "implementation": ["Do it", "Do the rest"], "testing": ["Break it"],
            "rollout": ["Staging, then all"], "effort": "2d", "dependencies": [], "code": [], "references": []}
    whole = {
        "recommendation_id": f"{rule}:0123456789abcdef", "rule_id": rule, "rule_hash": "0", "version": version, "life_version": 1,
        "status": "proposed", "category": "code_quality", "title": f"Stop {rule}", "group": {"service": "cart"}, "services": ["cart"],
        "priority": "P0" if impact >= 40 else "P2" if impact >= 10 else "P4", "impact_score": impact,
        "impact": "high" if impact >= 40 else "medium" if impact >= 10 else "low", "complexity": "low", "roadmap": "quality",
        "severity": "sev3", "frequency": 3, "detections": 1, "firings": 1, "occurrences": 3, "incidents": 3,
        "first_seen": OLD, "last_seen": NOW, "mttd": None, "mttd_median": None, "mttr": 1_500_000, "mttr_median": 1_500_000,
        "minutes_lost": 75, "estimated_benefit": {"incidents_per_30d": 3, "minutes_per_30d": 75}, "evidence": [], "code_refs": [],
        "root_causes": [], "components": [], "values": {}, "spec": spec | fields.pop("spec", {}),
        "validation": {"state": "none", "implemented_at": None, "before_from": None, "before_to": None, "after_from": None,
                       "after_to": None, "measures": []},
        "history": [{"at": OLD, "from": None, "to": "proposed", "actor": "forestall", "comment": None}],
        "supersedes": [], "superseded_by": None, "notes": [], "event_time": NOW}
    return whole | fields


def change(at, before, after, actor="ann"):
    return {"at": at, "from": before, "to": after, "actor": actor, "comment": None}


@pytest.fixture
def report(forestall_does, tmp_path):
    """`forestall report ARGUMENTS` over versions (and scorecards): its output, of JSON what it says."""

    def run(versions, *arguments, scorecards=None, **options):
        (tmp_path / "out.jsonl").write_text("".join(json.dumps(version) + "\n" for version in versions))
        if scorecards is not None:
            (tmp_path / "cards.jsonl").write_text("".join(json.dumps(card) + "\n" for card in scorecards))
            arguments += ("--scorecards", "cards.jsonl")
        done = forestall_does("report", *arguments, "--file", "out.jsonl", **options)
        return json.loads(done.stdout) if "json" in arguments else done.stdout if not options else done.stderr

    return run


def sections(markdown):
    """What stands below each heading, up to the next one of any level."""
    parts = re.split(r"^#+ (.*)\n", re.sub(r"^```.*?^```$", "", markdown, flags=re.M | re.S), flags=re.M)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2])))


def check_text(markdown):
    """Nothing unfinished in it, and no heading without anything below."""
    prose = re.sub(r"^```.*?^```$", "", markdown, flags=re.M | re.S)
    assert not re.search(r"\{\{|\bnull\b|\bunknown\b|\(\)|\bnan\b|\binf\b", prose, flags=re.I), prose
    levels = [(len(m[1]), m.end()) for m in re.finditer(r"^(#+) .*$", prose, flags=re.M)]
    for (level, end), (following, _) in zip(levels, levels[1:]):
        assert following > level or re.match(r"\s*[^\s#]", prose[end:]), prose[end - 40:end + 40]


class Page(html.parser.HTMLParser):
    """Checks the nesting of tags, and gathers tags, headings and attributes."""

    VOID = {"meta", "rect", "line"}

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        self.texts.append(data)


def check_html(text):
    page = Page(text)
    headings = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert text.startswith("<!DOCTYPE html>") and ("lang", "en") in page.attributes and page.tags.count("title") > 0
    assert headings[0] == 1 and headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(headings, headings[1:]))
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not {"src", "style"} & {name for name, _ in page.attributes} and not re.search(r"url\(|@import", text)
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids)) and {value[1:] for name, value in page.attributes if name == "href"} <= set(ids)
    assert page.tags.count("svg") == page.attributes.count(("role", "img")) == page.tags.count("desc")
    assert page.tags.count("caption") == page.tags.count("table") and page.attributes.count(("scope", "col")) == page.tags.count("th")
    return page


def test_the_weekly_review(report):
    back = [change(OLD, None, "dismissed"), change("2026-03-12T00:00:00.000Z", "dismissed", "reopened")]
    versions = [
        record("small", 8, event_time=OLD), record("small", 20, version=2),
        record("great", 72, event_time=OLD), record("great", 72, version=2),
        record("new", 44, services=["cart", "pay"], history=[change("2026-03-14T00:00:00.000Z", None, "proposed", "forestall")]),
        record("back", 4, status="reopened", history=[change(OLD, None, "proposed"), *back[1:]]),
        record("aside", 90, status="dismissed"),
    ]
    text = report(versions)
    parts = sections(text)
    check_text(text)
    summary = parts["Prevention review, 2026-03-09 to 2026-03-16"]
    assert summary.startswith("4 recommendations are open: 2 P0, 1 P2, 1 P4. One is new, 1 is back since 2026-03-09. The impact of one rose.")
    assert "What matters most: Stop great, with an impact score of 72, for cart." in summary
    assert parts["New in the period"].splitlines() == ["- P0, rank 2: Stop new. Proposed 2026-03-14.",
                                                       "- P4, rank 4: Stop back. It came back; first proposed 2026-02-20."]
    assert parts["Rising"] == "- Stop small. The impact score rose from 8 to 20, from low to medium."
    rows = [re.split(r"\s*\|\s*", line)[1:-1] for line in parts["P0: Implement this week"].splitlines() if line.startswith("|")]
    assert rows[2:] == [["1", "P0", "72", "Stop great", "cart", "proposed", "3", "25m", "2d"],
                        ["2", "P0", "44", "Stop new", "cart and pay", "proposed", "3", "25m", "2d"]]
    assert "P4: Backlog" in parts and "aside" not in text
    assert parts["P4: Backlog"].endswith("Nothing is open in P1, P3.")
    services = [re.split(r"\s*\|\s*", line)[1:4] for line in parts["By service"].splitlines() if line.startswith("|")]
    assert services[2:] == [["cart", "4", "140"], ["pay", "1", "44"]]
    assert "Code quality" in parts["By category"]
    assert "Stop great" in sections(report(versions, "--by", "service"))["cart"] and "By priority" not in report(versions, "--by", "service")
    assert "Stop great" in sections(report(versions, "--by", "category"))["Code quality"]
    assert "2026-03-01 to" in report(versions, "--since", "15d")


def test_nothing_there(report):
    for arguments in [(), ("--roadmap",), ("capacity",), ("deployments",), ("errors",)]:
        text = report([record("aside", status="dismissed")], *arguments)
        check_text(text)
        check_html(report([record("aside", status="dismissed")], *arguments, "--format", "html"))
    assert "No recommendation is open: nothing is waiting to be done." in report([record("aside", status="dismissed")])
    assert "No recommendation is open, so the roadmap is empty." in report([record("aside", status="dismissed")], "--roadmap")


def test_what_is_measured(report):
    running = {"state": "running", "implemented_at": "2026-03-09T08:00:00.000Z", "before_from": OLD, "before_to": OLD,
               "after_from": "2026-03-10T00:00:00.000Z", "after_to": "2026-04-09T00:00:00.000Z",
               "measures": [{"name": "incidents", "before": 12, "after": 1, "met": True}, {"name": "mttr", "before": 1_500_000, "after": None, "met": None}]}
    done = running | {"state": "ineffective", "measures": [{"name": "incidents", "before": 5, "after": 6, "met": False}]}
    versions = [record("running", status="validating", validation=running),
                record("failed", status="ineffective", validation=done, history=[change(OLD, None, "proposed"), change("2026-03-13T00:00:00.000Z", "validating", "ineffective")]),
                record("vague", status="implemented", validation=done | {"state": "inconclusive"}, history=[change(OLD, None, "proposed"), change("2026-03-12T00:00:00.000Z", "validating", "implemented")]),
               record("vague-long", status="implemented", validation=done | {"state": "inconclusive"}),
               record("blind", status="implemented", validation={"state": "none", "implemented_at": OLD, "measures": []}),
               record("helped", status="validated", validation=done | {"state": "validated"}, history=[change(OLD, None, "proposed"), change(OLD, "validating", "validated")])]
    cards = [{"scorecard_id": "mttd:1", "id": "mttd", "group": {"service": "cart"}, "service": "cart", "value": 90_000, "previous": 180_000,
              "change": -0.5, "trend": "down", "target_met": True, "window_from": OLD, "window_to": NOW, "event_time": NOW},
             {"scorecard_id": "change-failure-rate-overall:1", "id": "change-failure-rate-overall", "group": {}, "service": None, "value": 0.22,
              "previous": None, "change": None, "trend": None, "target_met": False, "window_from": OLD, "window_to": NOW, "event_time": NOW}]
    text = report(versions, scorecards=cards)
    check_text(text)
    parts = sections(text)
    assert parts["Stop running"].startswith("Implemented on 2026-03-09; 6 of 30 days are gone.")
    assert re.search(r"\| incidents +\| +12 \| +1 \| yes", parts["Stop running"]) and re.search(r"\| mttr +\| +25m \| +- \| - ", parts["Stop running"])
    assert "it did not help enough" in parts["Stop failed"] and "Stop helped" not in parts
    assert parts["Stop vague"].startswith("Inconclusive on 2026-03-12: there was too little to compare")
    assert "- Stop vague-long. Implemented without a verdict: there was too little to compare." in text and "Stop vague-long" not in parts
    assert "- Stop blind. Implemented without a verdict: its rule measures nothing." in text and text.count("Stop blind") == 1
    assert "1 change is being validated." in text
    assert parts["Prevention review, 2026-03-09 to 2026-03-16"].startswith("One recommendation is open") or "1 recommendation is open: 1 P2." in text
    assert parts["Scorecards"].startswith("1 of 2 targets are met.")
    assert re.search(r"\| Service +\| Mean time to detect \|\n.*\n\| cart +\| +1m 30s \(-50 %\) \|", parts["Scorecards"])
    assert re.search(r"Change failure rate +\| +22 % \| +- \| +- \| missed", parts["Scorecards"])
    rates = sections(report(versions, "deployments", scorecards=cards))["Scorecards"]
    assert rates.startswith("0 of 1 target is met.") and "Mean time to detect" not in rates
    unjudged = [card | {"target_met": None} for card in cards]
    assert sections(report(versions, scorecards=unjudged))["Scorecards"].startswith("No target can be judged yet.")
    page = check_html(report(versions, "--format", "html", scorecards=cards))
    assert "Before and after: Stop running" in page.texts
    shape = report(versions, "--format", "json", scorecards=cards)
    assert [(v["days_gone"], v["days"], v["measures"][0]["before"]) for v in shape["validating"]] == [(6, 30, 12)]
    assert [v["state"] for v in shape["decided"]] == ["ineffective", "inconclusive"] and len(shape["scorecards"]) == 2


def test_what_people_did(report):
    told = change("2026-03-14T10:00:00.000Z", "accepted", "dismissed", "ben") | {"comment": "not worth it"}
    versions = [record("turned-down", status="dismissed", history=[change(OLD, None, "proposed", "forestall"), change(OLD, "proposed", "accepted"), told]),
                record("begun", status="in_progress", history=[change(OLD, None, "proposed", "forestall"), change("2026-03-10T00:00:00.000Z", "proposed", "in_progress")]),
                record("spoken-of", history=[change(OLD, None, "proposed", "forestall"), change("2026-03-15T00:00:00.000Z", "proposed", "proposed") | {"comment": "soon"}])]
    assert sections(report(versions))["Decisions in the period"].splitlines() == [
        "- 2026-03-10: Stop begun. Begun by ann.", "- 2026-03-14: Stop turned-down. Dismissed by ben: not worth it.",
        "- 2026-03-15: Stop spoken-of. Commented on by ann: soon."]
    assert [(d["to"], d["actor"], d["comment"]) for d in report(versions, "--format", "json")["decisions"]] == [
        ("in_progress", "ann", None), ("dismissed", "ben", "not worth it"), ("proposed", "ann", "soon")]
    assert "Nobody accepted, implemented or dismissed anything since 2026-03-15." in report(versions, "--since", "12h")


def test_json_has_the_same_figures(report):
    shape = report([record("small", 8, event_time=OLD), record("small", 20, version=2), record("great", 72)], "--format", "json")
    assert [(r["rank"], r["rule_id"], r["impact_score"], r["priority"], r["action"]) for r in shape["recommendations"]] == [
        (1, "great", 72, "P0", "Implement this week"), (2, "small", 20, "P2", "Implement when capacity allows")]
    assert shape["kind"] == "review" and (shape["since"], shape["until"]) == ("2026-03-09T00:00:00.000Z", NOW)
    assert shape["rising"] == ["small:0123456789abcdef"] and shape["recommendations"][1]["impact_score_before"] == 8
    assert [p["priority"] for p in shape["by_priority"]] == ["P0", "P1", "P2", "P3", "P4"]
    assert shape["by_service"] == [{"service": "cart", "open": 2, "impact_score": 92, "first": "great:0123456789abcdef"}]
    assert list(shape) == ["kind", "since", "until", "summary", "recommendations", "new", "rising", "decisions", "by_priority", "by_service", "by_category",
                           "validating", "decided", "scorecards", "capacity"]


def test_the_roadmap_is_by_theme(report):
    versions = [record("first", 20, roadmap="foundation"), record("great", 72, roadmap="foundation"), record("later", roadmap="automation")]
    text = report(versions, "--roadmap")
    parts = sections(text)
    check_text(text)
    assert list(parts)[1:] == ["Quarter 1: Foundation", "Quarter 2: Resilience", "Quarter 3: Quality", "Quarter 4: Automation"]
    assert parts["Quarter 1: Foundation"].index("Stop great") < parts["Quarter 1: Foundation"].index("Stop first")
    assert parts["Quarter 2: Resilience"].endswith("Nothing of this is open.")
    shape = report(versions, "--roadmap", "--format", "json")
    assert [(t["quarter"], t["roadmap"], len(t["recommendations"])) for t in shape["themes"]] == [
        (1, "foundation", 2), (2, "resilience", 0), (3, "quality", 0), (4, "automation", 1)]


def test_an_issue(report):
    code = [{"path": "src/a.js", "language": "javascript", "text": "a();\n```\n{{ b }}\n"}]
    evidence = [{"stream": "incident", "event_id": "e1", "incident_id": "INC-1", "service": "cart", "occurred_at": OLD, "summary": "Cart is down"}]
    versions = [record("cart-down", spec={"code": code}, evidence=evidence, root_causes=[{"cause": "dns_failure", "count": 3}]), record("cart-slow")]
    text = report(versions, "issue", "cart-d")
    parts = sections(text.replace("````", "```"))
    assert text.startswith("# Stop cart-down\n")
    assert re.findall(r"^## (.*)$", text, flags=re.M) == [
        "Problem statement", "Proposed solution", "Implementation plan", "Testing approach", "Rollout plan", "Effort", "Dependencies",
        "Code samples", "Evidence", "Validation"]
    assert parts["Implementation plan"].splitlines() == ["1. Do it", "2. Do the rest"]
    assert parts["Dependencies"] == "It depends on nothing else." and parts["Effort"] == "2d."
    assert "````javascript\na();\n```\n{{ b }}\n````\n" in text
    assert "- 2026-02-20, cart, INC-1: Cart is down" in text and "Root causes, by events: `dns_failure` (3)." in text
    assert "3 incidents, mean time to resolve 25m." in text and "`forestall recommendations implement cart-down:0123456789abcdef`" in text
    check_html(report(versions, "issue", "cart-d", "--format", "html"))
    assert "'cart' is the beginning of 2 recommendations" in report(versions, "issue", "cart", status=1)
    assert "there is no recommendation 'x'" in report(versions, "issue", "x", status=1)


RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: cart-down
  from: {x: {stream: incident}}
  detect: {group_by: [service], window: {size: 30d}, when: count(x) >= 2}
  recommend: {category: architecture, title: t, spec: {problem: p, solution: s}}
  validate: {before: 14d, after: 28d, min_before: 2, measures: {incidents: after <= 0.5 * before, mttr: after <= before}}
- id: blind
  from: {x: {stream: telemetry}}
  detect: {group_by: [service], window: {size: 5m, slide: 5m}, when: count(x) >= 2}
  recommend: {category: architecture, title: t, spec: {problem: p, solution: s}}
"""


def test_what_will_be_measured(report, tmp_path):
    """Told by the rule, where a configuration with it is at hand; by the record once there is something."""
    versions = [record("cart-down"), record("blind"), record("elsewhere")]
    assert "now it stands in the rule `cart-down` under `validate`" in report(versions, "issue", "cart-down")
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "forestall.yaml").write_text("rules: [rules.yaml]\n")
    told = sections(report(versions, "issue", "cart-down"))["Validation"]
    assert "The 14 days before the day of the change are compared with the 28 days after it, if there were at least 2 incidents" in told
    assert told.splitlines()[-2:] == ["- incidents: met if `after <= 0.5 * before`.", "- mttr: met if `after <= before`."]
    assert "Its rule measures nothing" in report(versions, "issue", "blind")
    assert "now it stands in the rule `elsewhere`" in report(versions, "issue", "elsewhere")
    running = {"state": "running", "implemented_at": OLD, "measures": [{"name": "mttr", "before": 1_500_000, "after": None, "met": None},
                                                                      {"name": "incidents", "before": 12, "after": 1, "met": True}]}
    told = sections(report([record("cart-down", status="validating", severity=None, validation=running)], "issue", "cart-down"))
    assert told["Validation"].splitlines() == ["Implemented on 2026-02-20; the comparison of before and after is running.", "",
                                               "- mttr: 25m before, none after.", "- incidents: 12 before, 1 after, as wanted."]
    assert "complexity low.\n" in told["Evidence"]
    # Rules that are wrong are no reason to have no report; but a configuration that was asked for has to be right.
    (tmp_path / "rules.yaml").write_text("rules: nonsense")
    assert "now it stands in the rule" in report(versions, "issue", "cart-down")
    assert "forestall.yml" in report(versions, "issue", "cart-down", "-c", "forestall.yml", status=1)


def test_rules_that_are_gone(report, tmp_path):
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "forestall.yaml").write_text("rules: [rules.yaml]\n")
    text = report([record("cart-down"), record("removed"), record("removed-too"), record("settled", status="dismissed")])
    assert "2 are of rules that the configuration has no longer, so nothing changes them any more: removed-too, removed." in text
    assert "configuration" not in report([record("cart-down")])


def test_an_empty_file(report):
    assert "# Prevention review, 1970" not in report([]) and "There is no recommendation yet." in report([])


def test_what_others_wrote_stays_text(report):
    title = "a<script>alert(1)</script>|b\nc & \"d\" unknown"
    row = [line for line in report([record("hostile", title=title)]).splitlines() if line.startswith("|    1 |")]
    assert len(row) == 1 and r"a\<script>alert(1)\</script>\|b c & " in row[0] and "not known" in row[0]
    page = check_html(report([record("hostile", 72, title=title)], "--format", "html"))
    assert any("a<script>alert(1)</script>|b c & \"d\" not known" in text for text in page.texts)


def test_the_capacity_review(report):
    cpu = record("review-cpu-grows", title="Add replicas to search: time left until 90 % CPU: 6d 20h", services=["search"],
                 values={"slope_per_hour": 0.1, "current": 73.55, "eta": 590_400_000}, last_seen="2026-03-15T23:00:00.000Z", category="infrastructure_resilience")
    full = record("own-queue-grows", values={"slope_per_hour": 2, "current": 91.5, "eta": 0})
    old = record("review-traffic-grows", last_seen=OLD)
    text = report([cpu, full, old], "capacity")
    parts = sections(text)
    check_text(text)
    assert "3 recommendations of this kind were ever published, and 2 were seen in the period." in parts["Weekly capacity review"]
    assert re.search(r"\| cart +\| Stop own-queue-grows +\| +91.5 \| +\+336 \| +none \|", parts["Capacity outlook"])
    assert "Stop own-queue-grows" in parts["Growing towards a limit"]
    assert re.search(r"\| search +\| Add replicas to search \| 73.55 % \| \+16.8 points \| +6d 20h \| 2026-03-15 \| 2026-03-22", parts["Capacity outlook"])
    assert "Recommended change: Mend review-cpu-grows." in parts["Growing towards a limit"]
    assert parts["At their limit"] == "No service was near its limit all week."
    assert parts["Traffic that grows"].endswith("One more, last seen before 2026-03-09, is left out.")
    assert "Add replicas to search" in sections(report([cpu]))["Capacity outlook"]
    shape = report([cpu, old], "capacity", "--format", "json")
    assert shape["parts"][0]["recommendations"][0]["rule_id"] == "review-cpu-grows"
    assert [c["reached_at"] for c in shape["capacity"]] == ["2026-03-22T19:00:00.000Z"]
    assert [len(p["recommendations"]) for p in shape["parts"]] == [1, 0, 0]


def test_deployments_and_errors(report):
    versions = [record("review-change-failure-rate"), record("review-rollbacks"), record("own-pipeline", category="deployment_pipeline"),
                record("review-errors-are-noise"), record("review-error-rate-worse", 72)]
    parts = sections(report(versions, "deployments"))
    assert "Stop review-change-failure-rate" in parts["High change failure rates"] and "Stop review-rollbacks" in parts["Rollbacks and failed deployments"]
    assert "Stop own-pipeline" in parts["Gaps in testing and in the pipeline"] and "Scorecards" in parts
    parts = sections(report(versions, "errors"))
    assert "Stop review-errors-are-noise" in parts["Noise"] and "Stop review-error-rate-worse" in parts["Getting worse"]
    assert parts["New errors"] == "No error was seen for the first time."


@pytest.mark.parametrize("question", ["capacity", "deployments", "errors"])
def test_every_rule_of_a_pack_has_its_place(report, question):
    text = (harness.SOURCE / f"rules/proactive/{question}.yaml").read_text()
    rules = re.findall(r"^- id: (.*)$", text, flags=re.M)
    shape = report([record(rule) for rule in rules], question, "--format", "json")
    assert sorted(found["rule_id"] for part in shape["parts"] for found in part["recommendations"]) == sorted(rules)


def test_what_is_settled_was_still_seen(report):
    versions = [record("review-errors-recur", status="superseded"), record("review-errors-new", status="dismissed", last_seen=OLD)]
    parts = sections(report(versions, "errors"))
    assert parts["Recurring errors"] == "1 recommendation seen in the period is dismissed, validated or superseded by another, and not shown here."
    assert parts["New errors"] == "No error was seen for the first time."
    assert [part["settled"] for part in report(versions, "errors", "--format", "json")["parts"]] == [1, 0, 0, 0]


def test_the_demo_reads_well(forestall_does, tmp_path):
    forestall_does("demo", "--files", "shop", timeout=300)
    out = forestall_does("replay", "-c", "shop/forestall.yaml", "--file", "shop/history.jsonl", "--out", "out.jsonl", timeout=300)
    newest = {}
    for line in (tmp_path / "out.jsonl").read_text().splitlines():
        version = json.loads(line)
        newest[version["recommendation_id"]] = version
    assert len(newest) >= 5, out.stderr
    subjects = [(), ("--by", "service"), ("--by", "category"), ("--roadmap",), ("capacity",), ("deployments",), ("errors",)]
    for arguments in subjects + [("issue", each) for each in newest]:
        text = forestall_does("report", *arguments, "--file", "out.jsonl").stdout
        check_text(text)
        if arguments[:1] != ("issue",):
            check_html(forestall_does("report", *arguments, "--file", "out.jsonl", "--format", "html").stdout)
        if arguments[:1] == ("issue",):
            fences = re.findall(r"^```(\w*)$", text, flags=re.M)
            assert fences[::2] == [sample["language"] for sample in newest[arguments[1]]["spec"]["code"]]
    review = json.loads(forestall_does("report", "--file", "out.jsonl", "--format", "json").stdout)
    work = [r for r in newest.values() if r["status"] in ("proposed", "reopened", "accepted", "in_progress", "ineffective")]
    assert [r["rank"] for r in review["recommendations"]] == list(range(1, len(work) + 1))
    assert sorted((r["impact_score"] for r in review["recommendations"]), reverse=True) == [r["impact_score"] for r in review["recommendations"]]


@pytest.mark.parametrize("arguments, says", [
    (("--format", "pdf"), "--format is md, html or json"), (("--by", "team"), "--by is service or category"), (("nothing",), "the reports are issue, capacity, deployments and errors"), (("--since", "soon"), "--since takes a time"),
    (("--rodmap",), "no such option '--rodmap'; did you mean '--roadmap'?"),
    (("issue",), "the id of a recommendation is missing"), (("capacity", "--roadmap"), "do not go with"),
    (("issue", "x", "--format", "json"), "an issue is md or html")])
def test_wrong_usage(forestall_does, arguments, says):
    assert says in forestall_does("report", *arguments, status=2).stderr


def test_what_cannot_be_read(forestall_does, tmp_path):
    (tmp_path / "bad.jsonl").write_text("{}\n")
    assert "bad.jsonl:1" in forestall_does("report", "--file", "bad.jsonl", status=1).stderr
    (tmp_path / "good.jsonl").write_text(json.dumps(record("x")) + "\n")
    assert "would begin after its end" in forestall_does("report", "--file", "good.jsonl", "--since", "2027-01-01T00:00:00Z", status=1).stderr
