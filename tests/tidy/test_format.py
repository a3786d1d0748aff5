"""Sources are laid out as the pinned clang-format lays them out; tests/tidy/format mends them."""

import pathlib
import re
import subprocess

FORMAT = pathlib.Path(__file__).parent / "format"
ROOT = FORMAT.parents[2]


def clang_format(*arguments, text=None):
    return subprocess.run([ROOT / "build/venv/bin/clang-format", *arguments], cwd=ROOT, input=text, capture_output=True, text=True)


def test_sources_are_formatted():
    done = subprocess.run([FORMAT, "--check"], capture_output=True, text=True)
    places = re.findall(r"^(\S+:\d+):\d+: error", done.stderr, re.MULTILINE)
    assert done.returncode == 0, "tests/tidy/format would change:\n" + ("\n".join(places) or done.stderr)


def test_the_pinned_version_runs():
    pinned = re.search(r"^clang-format==(.*)$", (ROOT / "tests/requirements.txt").read_text(), re.MULTILINE).group(1)
    assert f"version {pinned}" in clang_format("--version").stdout


def test_bad_layout_is_refused():
    bad = "int f( void ){ return 1 ; }\n"
    check = ("--assume-filename=stream/x.c", "--dry-run", "--Werror")
    assert clang_format(*check, text=bad).returncode != 0
    good = clang_format("--assume-filename=stream/x.c", text=bad).stdout
    assert clang_format(*check, text=good).returncode == 0
