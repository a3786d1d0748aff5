"""Who may include whom: a folder of stream/ only the folders below it, a third-party header only its place.

The order of the folders is the one list in CMakeLists.txt.
"""

import re

from c_source import Finding, line_of, sources

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)

# A header of a library, by the end of its name, and where it may be included: a folder, or a file without its suffix.
THIRD_PARTY = {
    "rdkafka.h": ("io", "engine/exchange_kafka", "engine/commit", "engine/restore", "cli/demo"),
    "rdkafka_mock.h": ("cli/demo",),
    "rocksdb/c.h": ("state/store_rocksdb",),
    "avro.h": ("codec",),
    "jansson.h": ("codec",),
    "zlib.h": ("codec/ocf",),
    "simdjson.h": ("codec",),
    "yaml.h": ("rule/yaml",),
    "hs.h": ("rule",),
    "hs/hs.h": ("rule",),
    "xxhash.h": ("base",),
    "curl/curl.h": ("codec/registry",),
    "microhttpd.h": ("admin",),
    "protobuf-c/protobuf-c.h": ("codec/otlp",),
}

# The compiler's and the C library's: anything of C17, C++17 (no suffix) and POSIX.
SYSTEM = re.compile(r"""^(?:
    [a-z_]+ | (?:sys|arpa|net|netinet|linux)/[a-z_]+\.h |
    (?:assert|complex|ctype|errno|fenv|float|inttypes|iso646|limits|locale|math|setjmp|signal|stdalign|stdarg|stdatomic|
       stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|tgmath|threads|time|uchar|wchar|wctype|
       dirent|dlfcn|endian|execinfo|fcntl|fnmatch|ftw|getopt|glob|grp|langinfo|libgen|malloc|netdb|poll|pthread|pwd|regex|
       sched|semaphore|spawn|sysexits|syslog|termios|unistd|utime)\.h
    )$""", re.VERBOSE)


def folder_order(root):
    """The folders of stream/, the lowest first."""
    text = (root / "CMakeLists.txt").read_text()
    return re.search(r"set\(FORESTALL_FOLDERS ([^)]*)\)", text).group(1).split()


def _third_party(name):
    """The name under which THIRD_PARTY knows a header, or None."""
    matches = [known for known in THIRD_PARTY if name == known or name.endswith("/" + known)]
    return max(matches, key=len, default=None)


def _place_holds(place, path):
    """Whether stream/<path> lies in a place of THIRD_PARTY."""
    return path.parts[0] == place or str(path.with_suffix("")) == place


def check(root):
    """Findings over all of stream/."""
    order = folder_order(root)
    found = []
    for path in sources(root, "stream"):
        inside = path.relative_to("stream")
        own = order.index(inside.parts[0]) if inside.parts[0] in order else len(order)
        if own == len(order) and len(inside.parts) > 1:
            found.append(Finding(path, 1, f"the folder {inside.parts[0]} is not in FORESTALL_FOLDERS of CMakeLists.txt"))
            continue
        text = (root / path).read_text()
        for match in INCLUDE.finditer(text):
            kind, name = match.groups()
            line = line_of(text, match.start(2))
            if kind == '"':
                folder = name.split("/")[0]
                if "/" not in name or folder not in order:
                    found.append(Finding(path, line, f'"{name}" is not written from stream/ on, as "folder/file.h"'))
                elif order.index(folder) > own:
                    found.append(Finding(path, line, f'"{name}" lies above {inside.parts[0]}/'))
                continue
            known = _third_party(name)
            if known is not None:
                places = THIRD_PARTY[known]
                if not any(_place_holds(place, inside) for place in places):
                    found.append(Finding(path, line, f"<{name}> belongs in {', '.join(places)} only"))
            elif not SYSTEM.match(name):
                found.append(Finding(path, line, f"<{name}> has no place in THIRD_PARTY of tests/tidy/layering.py"))
    return found
