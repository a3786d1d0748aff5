"""`forestall recommendations` and `explain ID` over what a replay wrote: what a list leaves out and how it is cut, and what
pages say."""

import json

import pytest

RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
rules:
- id: again
  from: {x: {stream: incident}}
  detect: {group_by: [service], window: {size: 30d}, when: "count(x) >= 2 && (mttr > duration('1m') || minutes_lost < 1.0)"}
  recommend:
    category: architecture
    title: "{{ group.service }} fails again, and its title is too long for any terminal of eighty columns"
    complexity: low
    cooldown: 0s
    spec: {problem: "{{ incidents }} incidents", solution: "yes", implementation: [one, two], effort: 3d,
           code: [{path: a/b.js, language: javascript, text: "let a;\\n\\n  b();\\n"}]}
  validate: {before: 2d, after: 4d, min_before: 1, measures: {incidents: after <= before, mttr: after <= before}}
- id: once
  from: {x: {stream: incident, match: {service: mail}}}
  detect: {group_by: [service], window: {size: 30d}, when: count(x) >= 1}
  recommend: {category: code_quality, title: Mail, spec: {problem: p, solution: s}}
"""


def day(n, hour=0, minute=0):
    return f"2026-03-{n:02}T{hour:02}:{minute:02}:00Z"


def incident(n, service, at, **more):
    return {"stream": "incident", "event_id": f"e{n}{more.get('status', '')}", "incident_id": f"INC-{n}", "status": "open",
            "service": service, "severity": "sev2", "title": f"{service} is down", "occurred_at": at, "started_at": at, **more}


@pytest.fixture
def out(forestall_does, tmp_path):
    """What a replay wrote: carts fixed on the 3rd and measured until the 8th, mail dismissed, shops as they are."""

    def replay(feedback, until):
        (tmp_path / "rules.yaml").write_text(RULES)
        (tmp_path / "forestall.yaml").write_text("rules: [rules.yaml]\n")
        events = [incident(n, service, day(2, n)) for n, service in ((1, "cart"), (2, "cart"), (3, "shop"), (4, "shop"), (5, "mail"))]
        events.append(incident(2, "cart", day(2, 2, 25), status="resolved", started_at=day(2, 2), resolved_at=day(2, 2, 25)))
        events.sort(key=lambda event: event["occurred_at"])
        events += feedback + [incident(9, "other", day(*until))]
        (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
        forestall_does("replay", "--file", "events.jsonl", "--out", "out.jsonl", "--drain")
        newest = {}
        for line in (tmp_path / "out.jsonl").read_text().splitlines():
            newest[json.loads(line)["recommendation_id"]] = json.loads(line)
        return newest

    return replay


def feedback(record_id, action, at, **more):
    return {"stream": "feedback", "event_id": f"{record_id}{action}", "recommendation_id": record_id, "action": action,
            "actor": "ann", "occurred_at": at, **more}


@pytest.fixture
def newest(out):
    ids = {key.split(":")[0] + record["group"]["service"]: key for key, record in out([], (2, 9)).items()}
    return out([feedback(ids["oncemail"], "dismiss", day(2, 8), comment="not ours"),
                feedback(ids["againcart"], "accept", day(2, 9)),
                feedback(ids["againcart"], "implement", day(3, 1), comment="done, in 1.2")], (5, 12))


def test_list(newest, forestall_does, tmp_path):
    def listed(*arguments):
        return forestall_does("recommendations", "list", "--file", "out.jsonl", *arguments, env={"COLUMNS": "72"}).stdout

    def ids(*arguments):
        return [(record["services"][0], record["status"]) for record in json.loads(listed("--output", "json", *arguments))]

    cart, shop = [next(key for key, record in newest.items() if record["services"] == [service] and key.startswith("again"))
                  for service in ("cart", "shop")]
    assert listed() == (
        "PRIO  IMPACT  STATUS      SERVICE  TITLE                         ID\n"
        f"P2        16  {newest[cart]['status']}  cart     cart fails again, and its     {cart[:10]}\n"
        "                                   title is too long for any\n"
        "                                   terminal of eighty columns\n"
        f"P2        16  proposed    shop     shop fails again, and its     {shop[:10]}\n"
        "                                   title is too long for any\n"
        "                                   terminal of eighty columns\n"
        "\n1 more is dismissed, superseded or validated (--all)\n")
    # To another program, a line each.
    assert len(forestall_does("recommendations", "list", "--file", "out.jsonl", env={}).stdout.splitlines()) == 5
    assert ids() == [("cart", "validating"), ("shop", "proposed")]
    assert ids("--all", "--sort", "last_seen") == [("mail", "dismissed"), ("shop", "proposed"), ("cart", "validating")]
    assert ids("--status", "dismissed") == [("mail", "dismissed")]
    assert ids("--service", "shop,mail", "--all", "--category", "architecture") == [("shop", "proposed")]
    assert ids("--service", "shop", "--service", "cart", "--limit", "1") == [("cart", "validating")]
    assert ids("--priority", "P0") == []
    assert "1 more (--limit)" in listed("--limit", "1")
    assert ids("--status", "Validating", "--priority", "p2") == [("cart", "validating")]
    assert listed("--priority", "P0,P1") == "No recommendation is so.\n"
    assert listed("--service", "carts") == "No recommendation is so.\nServices that recommendations name: cart, shop, mail\n"
    until = newest[cart] | {"status": "dismissed", "notes": ["dismissed until 2026-04-01T08:00:00.000Z"]}
    (tmp_path / "until.jsonl").write_text(json.dumps(until) + "\n")
    assert "  dismissed until 2026-04-01  cart " in forestall_does("recommendations", "list", "--all", "--file", "until.jsonl").stdout
    for wrong in (("--status", "open"), ("--priority", "P7"), ("--category", "x"), ("--sort", "x"), ("--limit", "0")):
        assert "there are" in forestall_does("recommendations", "list", *wrong, status=2).stderr or wrong[0] == "--limit"


def test_show(newest, forestall_does):
    cart = next(key for key, record in newest.items() if record["services"] == ["cart"])

    def show(*arguments):
        return forestall_does("recommendations", "show", *arguments, "--file", "out.jsonl", env={"COLUMNS": "80"}).stdout

    page = show(cart[:10])
    assert page == show(cart)
    for part in (f"P2  cart fails again, and its title is too long for any terminal of eighty\n    columns\n    {cart}\n",
                 "  status         validating since 2026-03-04 00:00\n",
                 "P2: the impact is medium (score 16, of 2 incidents in the last\n                 30 days, the worst of them sev2)",
                 "  to resolve     25m on average, median 25m\n",
                 "  implemented    2026-03-03 01:00\n",
                 "  state          running: days are being counted; 0 of 4 days after it are over\n",
                 "  mttr           25m before, none after\n",
                 "  steps          1. one\n                 2. two\n",
                 "\na/b.js\n    let a;\n\n      b();\n",
                 "  2026-03-03 01:00  implemented  ann: done, in 1.2\n",
                 "  2026-03-02 02:00  INC-2  cart     cart is down\n"):
        assert part in page, page
    assert "null" not in page and "unknown" not in page
    assert json.loads(show(cart, "--output", "json")) == newest[cart]
    text = show(cart, "--output", "yaml")
    assert "\nstatus: validating\n" in text and '\n  solution: "yes"\n' in text
    assert "\n      text: |\n        let a;\n\n          b();\n" in text


def test_which_is_meant(newest, forestall_does):
    def fails(*arguments, status=1):
        return forestall_does("recommendations", *arguments, "--file", "out.jsonl", status=status).stderr

    assert json.loads(forestall_does("recommendations", "show", "once", "--file", "out.jsonl", "--output", "json").stdout)["rule_id"] == "once"
    assert fails("show", "again").startswith("error: 'again' is the beginning of 2 recommendations:\n  again:")
    assert "did you mean\n  again:" in fails("show", "agian:1234")
    assert "list --all` shows the 3 that there are" in fails("show", "nothing-of-the-sort")
    assert "a file takes no feedback" in fails("accept", "once", status=2)
    assert "An ID is missing after show" in fails("show", status=2)
    assert "needs --comment" in forestall_does("recommendations", "comment", "once", status=2).stderr
    assert "goes with dismiss" in forestall_does("recommendations", "accept", "once", "--until", "3d", status=2).stderr


def test_why(newest, forestall_does, tmp_path):
    cart = next(key for key, record in newest.items() if record["services"] == ["cart"])

    def explain(*arguments):
        return forestall_does("explain", cart[:10], "--file", "out.jsonl", *arguments, env={"COLUMNS": "80"}).stdout

    page = explain()
    for part in ("  rule           again  rules.yaml:5\n",
                 "  group          service cart\n",
                 "  when           count(x) >= 2 && (mttr > duration('1m') || minutes_lost < 1.0)\n",
                 "  it was         count(x) = 2, incidents = 2, minutes_lost = 25, mttr = 25m\n",
                 "  score          16 = the sum of a weight for each of the 2 distinct incidents\n",
                 "  incidents      INC-1, INC-2\n",
                 "  levels         medium from 10, high from 40\n",
                 "high impact P0 or P1; medium impact P2 or P3; low impact P4, as\n",
                 "  mttr           25m before, none after\n"):
        assert part in page, page
    facts = json.loads(explain("--output", "json"))
    assert facts["rule"]["line"] == 5 and not facts["rule"]["changed"] and facts["levels"] == {"medium": 10, "high": 40}
    assert facts["values"]["count(x)"] == 2 and facts["status"] == "validating"
    (tmp_path / "rules.yaml").write_text(RULES.replace("count(x) >= 2", "count(x) >= 3"))
    assert "The rule was changed since" in explain() and json.loads(explain("--output", "json"))["rule"]["changed"]
    (tmp_path / "forestall.yaml").unlink()
    assert "no configuration here has it" in " ".join(explain().split())
    assert "did you mean" in forestall_does("explain", "agian:1", "--file", "out.jsonl", status=1).stderr
