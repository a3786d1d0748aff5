"""Every rule set that the reference shows is right, and passes the tests that it carries."""

import pathlib
import re

import pytest

import harness

REFERENCE = harness.SOURCE / "rules/README.md"


def examples():
    """(line, text) of each block that is a whole file; what shows a part only begins otherwise."""
    text = REFERENCE.read_text()
    for block in re.finditer(r"^```yaml\n(apiVersion:.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield text.count("\n", 0, block.start()) + 2, block.group(1)


EXAMPLES = list(examples())


def test_the_reference_has_its_examples():
    assert len(EXAMPLES) >= 25


@pytest.mark.parametrize("text", [pytest.param(text, id=f"line {line}") for line, text in EXAMPLES])
def test_an_example_is_right(forestall_does, tmp_path, text):
    (tmp_path / "example.yaml").write_text(text)
    shipped = [harness.SOURCE / "rules/online-boutique"] if "\noverrides:" in text else []
    forestall_does("check", "--strict", "example.yaml", *shipped)
    if "tests:" in text:
        done = forestall_does("test", "example.yaml")
        assert re.search(r"^[1-9]\d* passed, 0 failed", done.stdout, re.MULTILINE), done.stdout
