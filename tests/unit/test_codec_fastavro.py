"""fastavro as the oracle where Avro-C cannot be one: aliases, defaults, bytes as string, unions in any order.

`python test_codec_fastavro.py` writes codec_fastavro.txt, which codec_fastavro.c decodes: per case the stream, the
writer's schema, the reader's schema, the record in hexadecimal and the event that fastavro reads, as JSON, each on a line of
its own. Run by pytest it checks that the file is still what fastavro says, and that fastavro takes all schemas.
"""

import io
import json
import pathlib
import random

import fastavro

HERE = pathlib.Path(__file__).parent
SCHEMAS = HERE.parents[1] / "schemas"
VECTORS = HERE / "codec_fastavro.txt"
STREAMS = ["incident", "deployment", "telemetry", "feedback"]
CASES = 150


def strip(schema):
    """The schema without documentation."""
    if isinstance(schema, dict):
        return {key: strip(value) for key, value in schema.items() if key != "doc"}
    return [strip(item) for item in schema] if isinstance(schema, list) else schema


def plain(schema):
    """The schema without logical types, so that fastavro leaves times as numbers."""
    if isinstance(schema, dict):
        return {key: plain(value) for key, value in schema.items() if key != "logicalType"}
    return [plain(item) for item in schema] if isinstance(schema, list) else schema


def words(rng):
    return "".join(rng.choice(["a", "é", "€", "😀", "service", " "]) for _ in range(rng.randrange(5)))


def variant(rng, type_):
    """A writer's type that resolves to `type_`, and a function that makes a datum of it."""
    if isinstance(type_, list):
        inner, make = variant(rng, type_[1])
        shape = rng.randrange(3)
        if shape == 0:
            return inner, make
        return (["null", inner] if shape == 1 else [inner, "null"]), lambda: None if rng.random() < 0.4 else make()
    kind = type_["type"] if isinstance(type_, dict) else type_
    if kind == "string":
        chosen = rng.choice(["string", "bytes"])
        return chosen, lambda: words(rng) if chosen == "string" else words(rng).encode()
    if kind == "double":
        chosen = rng.choice(["double", "float", "long", "int"])
        if chosen in ("double", "float"):
            return chosen, lambda: rng.randrange(-1000, 1000) / 4
        return chosen, lambda: rng.randrange(-1000, 1000)
    if kind == "long":
        chosen = rng.choice(["long", "int"])
        return chosen, lambda: rng.randrange(-(1 << 31), 1 << 31) if chosen == "int" else rng.randrange(-(1 << 45), 1 << 45)
    if kind == "enum":
        symbols = type_["symbols"][:]
        rng.shuffle(symbols)
        return dict(type_, symbols=symbols), lambda: rng.choice(symbols)
    if kind == "array":
        inner, make = variant(rng, type_["items"])
        return {"type": "array", "items": inner}, lambda: [make() for _ in range(rng.randrange(4))]
    inner, make = variant(rng, type_["values"])
    return {"type": "map", "values": inner}, lambda: {f"k{i}": make() for i in range(rng.randrange(4))}


def case(rng):
    stream = rng.choice(STREAMS)
    reader = strip(json.loads((SCHEMAS / f"{stream}.avsc").read_text()))
    fields, datum = [], {}
    for field in reader["fields"]:
        if "default" in field and rng.random() < 0.3:
            continue
        name = field["name"]
        if rng.random() < 0.3:
            field["aliases"] = [f"other_{name}", f"old_{name}"]
            name = rng.choice(field["aliases"])
        type_, make = variant(rng, field["type"])
        fields.append({"name": name, "type": type_})
        datum[name] = make()
    for extra in range(rng.randrange(3)):
        fields.append({"name": f"extra{extra}", "type": rng.choice(["string", "double", "boolean", {"type": "array", "items": "int"}])})
        datum[f"extra{extra}"] = {"string": "x", "double": 1.5, "boolean": True}.get(str(fields[-1]["type"]), [1, 2])
    rng.shuffle(fields)
    writer = {"type": "record", "name": reader["name"], "namespace": reader["namespace"], "fields": fields}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(plain(writer)), datum)
    read = fastavro.schemaless_reader(io.BytesIO(out.getvalue()), fastavro.parse_schema(plain(writer)), fastavro.parse_schema(plain(reader)))
    dump = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return "\n".join([stream, dump(writer), dump(reader), out.getvalue().hex(), dump(read)]) + "\n"


def vectors():
    rng = random.Random(20240506)
    return "".join(case(rng) for _ in range(CASES))


def test_vectors_are_current():
    assert VECTORS.read_text() == vectors()


def test_fastavro_takes_all_schemas():
    for path in sorted(SCHEMAS.glob("*.avsc")):
        parsed = fastavro.schema.load_schema(str(path))
        assert parsed["name"].startswith("io.forestall.v1.")


if __name__ == "__main__":
    VECTORS.write_text(vectors())
