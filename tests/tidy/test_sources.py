"""The checks of this folder over the project, and each of them over a source that it must refuse."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import c_source  # noqa: E402
import layering  # noqa: E402
import shape  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE_FOLDERS = ("stream", "tests", "bench")


def report(findings):
    return "\n" + "\n".join(map(str, findings)) if findings else ""


def test_each_folder_includes_only_what_lies_below():
    assert not report(layering.check(ROOT))


def test_sources_keep_their_shape():
    assert not report(shape.check(ROOT, *CODE_FOLDERS))


@pytest.fixture
def project(tmp_path):
    """Writes files into an otherwise empty project and returns its root."""
    (tmp_path / "CMakeLists.txt").write_text((ROOT / "CMakeLists.txt").read_text())

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return lambda files: write(**files)


@pytest.mark.parametrize("path, line, message", [
    ("base/arena.c", '#include "event/event.h"', '"event/event.h" lies above base/'),
    ("detect/window.c", '#include "engine/reduce.h"', '"engine/reduce.h" lies above detect/'),
    ("engine/map.c", '#include "map.h"', '"map.h" is not written from stream/ on'),
    ("engine/map.c", "#include <librdkafka/rdkafka.h>", "<librdkafka/rdkafka.h> belongs in io, engine/exchange_kafka"),
    ("io/kafka.c", "#include <librdkafka/rdkafka_mock.h>", "<librdkafka/rdkafka_mock.h> belongs in cli/demo only"),
    ("state/cache.c", "#  include <rocksdb/c.h>", "<rocksdb/c.h> belongs in state/store_rocksdb only"),
    ("rule/ruleset.c", "#include <yaml.h>", "<yaml.h> belongs in rule/yaml only"),
    ("admin/api.c", "#include <jansson.h>", "<jansson.h> belongs in codec only"),
    ("base/str.c", "#include <lzma.h>", "<lzma.h> has no place in THIRD_PARTY"),
    ("helper/x.c", "", "the folder helper is not in FORESTALL_FOLDERS"),
])
def test_layering_refuses(project, path, line, message):
    found = layering.check(project({f"stream/{path}": f"// A file.\n{line}\n"}))
    assert len(found) == 1 and message in str(found[0]) and str(found[0]).startswith(f"stream/{path}:")


def test_layering_accepts(project):
    assert layering.check(project({
        "stream/main.c": '#include "cli/run.h"\n#include "base/error.h"\n',
        "stream/engine/commit.c": '#include "engine/commit.h"\n#include "state/store.h"\n#include <librdkafka/rdkafka.h>\n',
        "stream/rule/yaml.c": "#include <yaml.h>\n#include <sys/stat.h>\n#include <stdio.h>\n",
        "stream/codec/json.cc": "#include <simdjson.h>\n#include <string_view>\n",
    })) == []


BODY = "{\n" + "    step();\n" * 68 + "}\n"


@pytest.mark.parametrize("path, text, message", [
    ("stream/base/a.c", "int x;\n" * 601, ":601: the file has 601 lines"),
    ("stream/base/utils.c", "", ":1: the name utils.c says nothing"),
    ("stream/base/a.c", "\nint f(void)\n{\n    return atoi(text);\n}\n", ":4: atoi is banned"),
    ("tests/unit/a.c", "static void f(void)\n{\n    sprintf (a, b);\n}\n", ":3: sprintf is banned"),
    ("stream/base/a.c", "struct a {\n    int b;\n};\n\nstatic int\nlong_one(int a)\n" + BODY, ":5: long_one has 72 lines"),
    ("stream/codec/a.cc", 'extern "C" {\nint f(int a);\nint long_one(int a)\n' + BODY + "}\n", ":3: long_one has 71 lines"),
    ("stream/base/a.c", "int f(void)\n{\n#ifdef X\n    return 1;\n#endif\n    return 0;\n}\n", ":3: #ifdef inside a function"),
    ("stream/detect/a.c", "int f(void)\n{\n    return time(NULL);\n}\n", ":3: time: time and chance come from"),
], ids=["file length", "file name", "atoi", "sprintf", "function length", "length in extern C", "ifdef", "clock"])
def test_shape_refuses(project, path, text, message):
    found = shape.check(project({path: text}), *CODE_FOLDERS)
    assert len(found) == 1 and message in str(found[0])


def test_shape_accepts(project):
    longest = "static int f(int a)\n" + BODY.replace("    step();\n", "", 1)
    text = (longest + '/* strcpy(a, b) */ // atoi(x)\nstatic const char *s = "system(x) {";\n'
            "#define BRACE {\nint g(void)\n{\n    my_system(1);\n    x->system(2);\n    return '{';\n}\n"
            "static int table[] = {\n" + "    1,\n" * 80 + "};\n#ifdef X\nint h(void);\n#endif\n")
    assert shape.check(project({"stream/base/a.c": text, "stream/base/clock.c": "int f(void)\n{\n    time(0);\n}\n"}),
                       *CODE_FOLDERS) == []
    assert [each.name for each in c_source.functions(text)] == ["f", "g"]
