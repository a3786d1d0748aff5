"""The project's pages: what they link to exists."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s#]+)(?:#[^)]*)?\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def dead_links(page):
    """Links of a page to files that do not exist, as line:target."""
    text = FENCE.sub(lambda match: "\n" * match.group().count("\n"), page.read_text())
    return [f"{text.count(chr(10), 0, match.start()) + 1}: {match.group(1)}" for match in LINK.finditer(text)
            if not re.match(r"[a-z]+:", match.group(1)) and not (page.parent / match.group(1)).exists()]


def test_links_of_pages_lead_somewhere():
    pages = [page for page in ROOT.rglob("*.md") if "build" not in page.relative_to(ROOT).parts]
    assert pages
    dead = [f"{page.relative_to(ROOT)}:{link}" for page in pages for link in dead_links(page)]
    assert not dead, "\n" + "\n".join(dead)


def test_a_dead_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("[a](page.md) [b](https://example.org/x)\n```\n[c](none.md)\n```\n[d](gone.md#part)\n")
    assert dead_links(page) == ["5: gone.md"]
