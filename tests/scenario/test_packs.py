"""The shipped packs as a reader finds them: whole specifications, code that is code, each pack by itself and all together."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

import harness

RULES = harness.SOURCE / "rules"
PACKS = ["online-boutique", "generic", "proactive"]
LANGUAGES = {  # of the shop's services
    "frontend": "go", "cartservice": "csharp", "productcatalogservice": "go", "currencyservice": "javascript",
    "paymentservice": "javascript", "shippingservice": "go", "emailservice": "python", "checkoutservice": "go",
    "recommendationservice": "python", "adservice": "java"}


def rules():
    for pack in PACKS:
        for path in sorted((RULES / pack).glob("*.yaml")):
            for rule in yaml.safe_load(path.read_text()).get("rules", []):
                yield path, rule


ALL = [pytest.param(path, rule, id=rule["id"]) for path, rule in rules() if "recommend" in rule]


@pytest.mark.parametrize("packs", [[pack] for pack in PACKS] + [["."]], ids=lambda packs: packs[0])
def test_a_pack_loads_by_itself(forestall_does, packs):
    forestall_does("check", "--strict", *(RULES / pack for pack in packs))


def samples(path, spec):
    for sample in spec["code"]:
        yield sample["path"], sample["language"], sample.get("text") or (path.parent / sample["file"]).read_text()


def check_sample(language, text):
    if language == "yaml":
        assert all(isinstance(document, (dict, list)) for document in yaml.safe_load_all(text))
    elif language == "python":
        compile(text, "sample", "exec")
    elif language == "sh":
        subprocess.run(["sh", "-n"], input=text, text=True, check=True, capture_output=True)
    elif language == "javascript" and shutil.which("node"):
        kind = "module" if re.search(r"^(import|export) ", text, re.MULTILINE) else "commonjs"
        subprocess.run(["node", f"--input-type={kind}", "--check"], input=text, text=True, check=True, capture_output=True)


@pytest.mark.parametrize("path, rule", ALL)
def test_a_specification_is_whole(path, rule):
    """All that somebody needs who is to do it: the guide's parts of a specification, and code to begin with."""
    spec = rule["recommend"]["spec"]
    assert len(spec["implementation"]) >= 2 and spec["testing"] and spec["rollout"] and "dependencies" in spec
    assert spec["problem"] and spec["solution"] and re.fullmatch(r"\d+[hd]", spec["effort"])
    assert rule["recommend"]["category"] and rule["recommend"].get("complexity") in ("low", "high")
    written = list(samples(path, spec))
    assert written, "no code sample"
    for _, language, text in written:
        assert "{{" not in text and len(text.splitlines()) <= 60
        check_sample(language, text)


@pytest.mark.parametrize("service, language", LANGUAGES.items())
def test_code_is_in_the_service_s_language(service, language):
    """Of rules in a service's file; what is configuration is in none."""
    path = RULES / f"online-boutique/{service}.yaml"
    found = {sample[1] for rule in yaml.safe_load(path.read_text())["rules"] for sample in samples(path, rule["recommend"]["spec"])}
    assert language in found and found <= {language, "yaml"}


def test_what_is_known_of_a_service_stands_for_what_fits_any(forestall_does, tmp_path):
    """Two ECB time-outs too many: with all packs loaded the general advice about time-outs is not told beside the particular."""
    with open(tmp_path / "events.jsonl", "w") as file:
        for n in range(4):
            common = {"stream": "incident", "incident_id": f"i{n}", "service": "currencyservice", "severity": "SEV3", "title": "t",
                      "root_cause": "ecb_api_timeout", "started_at": f"2024-03-0{n + 1}T10:00:00Z"}
            for status, minute in [("OPEN", "01"), ("RESOLVED", "30")]:
                at = f"2024-03-0{n + 1}T10:{minute}:00Z"
                file.write(json.dumps({**common, "event_id": f"{n}{status}", "status": status, "occurred_at": at}) + "\n")
    (tmp_path / "forestall.yaml").write_text(f"rules: [{RULES}]\n")
    newest = {}
    for line in forestall_does("replay", "--file", "events.jsonl").stdout.splitlines():
        version = json.loads(line)
        newest[version["rule_id"]] = version
    assert {rule: version["status"] for rule, version in newest.items()} == {
        "ecb-timeouts": "proposed", "generic-timeouts-missing": "superseded"}
    assert newest["generic-timeouts-missing"]["superseded_by"] == newest["ecb-timeouts"]["recommendation_id"]
