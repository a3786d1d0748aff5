"""A Kafka that asks who one is and what one may do: the rights that README.md names are enough, and each is needed.

The brokers' own listener is open to everybody, as `super.users`; the program comes in by another one.
"""

import re

import confluent_kafka.admin as admin
import pytest

import cluster
import harness

RULES = """
apiVersion: forestall.io/v1
kind: RuleSet
metadata: {name: rights}
rules:
- id: each
  from: {x: {stream: incident}}
  detect: {group_by: [service], window: {size: 7d}, when: count(x) >= 1}
  recommend: {category: architecture, title: "{{ count(x) }}", cooldown: 0s, spec: {problem: p, solution: s}}
"""
USER, PASSWORD = "forestall", "secret"
GUARD = """
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.guarded.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""
HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000
EVENTS = 20

# README.md, "In production": what is named, how, what is allowed. `{app}` is the application's id.
RIGHTS = {
    "group": ("GROUP", "{app}", ["READ"]),
    "sources": ("TOPIC", "{source}", ["READ", "DESCRIBE_CONFIGS"]),
    "recommendations": ("TOPIC", "{recommendations}", ["WRITE", "DESCRIBE_CONFIGS"]),
    "scorecards": ("TOPIC", "{scorecards}", ["WRITE", "DESCRIBE_CONFIGS"]),
    "dead letters": ("TOPIC", "{dead_letter}", ["WRITE", "DESCRIBE_CONFIGS"]),
    "internal": ("TOPIC", "{app}-*", ["CREATE", "READ", "WRITE", "DESCRIBE_CONFIGS", "DELETE"]),
    "transactions": ("TRANSACTIONAL_ID", "{app}-*", ["WRITE"]),
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The cluster, and the address of its guarded listener."""
    made = cluster.Cluster.create(tmp_path_factory.mktemp("kafka"), 1, cluster.SESSION_MS_ALONE)
    address = f"{cluster.HOST}:{cluster.free_ports(1)[0]}"
    path = made.nodes[0].folder / "server.properties"
    text = re.sub(r"(?m)^((?:advertised\.)?listeners=.*)$", rf"\1,GUARDED://{address}", path.read_text())
    path.write_text(text + GUARD.format(user=USER, password=PASSWORD))
    try:
        made.start()
        yield made, address
    finally:
        made.stop()


@pytest.fixture
def bootstrap(guarded):
    return guarded[0].bootstrap


class App:
    """The program behind the guarded listener, over one topic of incidents."""

    def __init__(self, address, bootstrap, topics, writer, reader, forestall, write_config):
        self.admin = admin.AdminClient({"bootstrap.servers": bootstrap})
        self.address, self.writer, self.reader, self.run, self.write_config = address, writer, reader, forestall, write_config
        self.names = {"app": topics.name("forestall"), "source": topics.create("incidents"),
                      "recommendations": topics.create("recommendations", cleanup_policy="compact"),
                      "scorecards": topics.create("scorecards", cleanup_policy="compact"),
                      "dead_letter": topics.create("dead-letter", cleanup_policy="delete")}
        self.sent = 0

    def acl(self, kind, name, operation):
        pattern = admin.ResourcePatternType.PREFIXED if name.endswith("*") else admin.ResourcePatternType.LITERAL
        return admin.AclBinding(admin.ResourceType[kind], name.format(**self.names).rstrip("*"), pattern, f"User:{USER}", "*",
                                admin.AclOperation[operation], admin.AclPermissionType.ALLOW)

    def allow(self, *but):
        """All rights but those, as (name, operation)."""
        wanted = [self.acl(kind, name, operation) for each, (kind, name, operations) in RIGHTS.items() for operation in operations
                  if (each, operation) not in but]
        for done in self.admin.create_acls(wanted).values():
            done.result(harness.TIMEOUT_SECONDS)
        return self

    def take(self, right, operation):
        kind, name, _ = RIGHTS[right]
        acl = self.acl(kind, name, operation)
        gone = admin.AclBindingFilter(acl.restype, acl.name, acl.resource_pattern_type, acl.principal, acl.host, acl.operation,
                                      acl.permission_type)
        for done in self.admin.delete_acls([gone]).values():
            assert len(done.result(harness.TIMEOUT_SECONDS)) == 1

    def configure(self, password=PASSWORD, **overrides):
        return self.write_config(
            [{"topic": self.names["source"], "stream": "incident", "format": "json"}], {"rights.yaml": RULES},
            **{"kafka": {"bootstrap.servers": self.address, "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
                         "sasl.username": USER, "sasl.password": password},
               "time": {"idle_lag": "never"}, "commit_interval": "50ms", **overrides})

    def send(self):
        for n in range(self.sent, self.sent + EVENTS):
            self.writer.json(self.names["source"], {
                "event_id": f"e{n}", "incident_id": f"i{n}", "status": "OPEN", "occurred_at": START_MS + n * HOUR_MS,
                "service": "cart", "severity": "SEV3", "title": f"Incident {n}"})
        self.writer.json(self.names["source"], {"no": "event"})
        self.writer.flush()
        self.sent += EVENTS

    def refused(self, process, named):
        """It ends with one line that says what to do; that one or one of librdkafka's before it names what it is about."""
        assert process.wait() == 1, process.log
        errors = [line for line in process.log.splitlines() if "level=error" in line]
        own = [line for line in errors if "msg=kafka " not in line]
        assert len(own) == 1 and re.search("(?i)authorization failed.*give this user the right to", own[0]), process.log
        assert any(re.search(f"(?i){named.format(**self.names)}.*authorization failed", line) for line in errors), process.log


@pytest.fixture
def app(guarded, bootstrap, topics, writer, reader, forestall, write_config):
    return App(guarded[1], bootstrap, topics, writer, reader, forestall, write_config)


@pytest.mark.parametrize("settings", [{"exchange": "local"}, {"exchange": "kafka", "workers": 2}], ids=["local", "kafka"])
def test_the_rights_of_the_readme_are_enough(app, settings, tmp_path):
    app.allow()
    recommendations, dead = app.reader(app.names["recommendations"]), app.reader(app.names["dead_letter"])
    for state in ("state", "state", "another"):  # made, found again, read from the changelog
        app.send()
        process = app.run(app.configure(**settings, state={"dir": str(tmp_path / state)}))
        process.wait_for_log("msg=ready")
        recommendations.count(app.sent - 1)
        dead.count(app.sent // EVENTS)
        assert process.stop() == 0
        assert not re.search("(?i)authori[sz]ation|level=error", process.log), process.log


NEEDED = [
    ("group", "READ", "{app}"), ("sources", "READ", "{source}"), ("sources", "DESCRIBE_CONFIGS", "{source}"),
    ("recommendations", "WRITE", "{recommendations}"), ("recommendations", "DESCRIBE_CONFIGS", "{recommendations}"),
    ("dead letters", "WRITE", "{dead_letter}"), ("internal", "CREATE", "{app}-"), ("internal", "READ", "{app}-"),
    ("internal", "WRITE", "{app}-"), ("internal", "DESCRIBE_CONFIGS", "{app}-"), ("transactions", "WRITE", "{app}"),
]


@pytest.mark.parametrize("right,operation,named", NEEDED, ids=[f"{right}-{operation}" for right, operation, _ in NEEDED])
def test_a_right_that_is_missing_ends_it_with_its_name(app, right, operation, named):
    app.allow((right, operation)).send()
    app.refused(app.run(app.configure(exchange="kafka")), named)


@pytest.mark.parametrize("right", ["sources", "recommendations"])
def test_a_right_that_is_taken_away_ends_it(app, right):
    app.allow().send()
    process = app.run(app.configure(exchange="kafka"))
    process.wait_for_log("msg=ready")
    app.reader(app.names["recommendations"]).count(app.sent - 1)
    app.take(right, "READ" if right == "sources" else "WRITE")
    app.send()
    app.refused(process, "{source}" if right == "sources" else "{recommendations}")


def test_without_the_right_to_delete_it_runs_and_says_what_follows(app):
    app.allow(("internal", "DELETE"))
    process = app.run(app.configure(exchange="kafka"))
    recommendations = app.reader(app.names["recommendations"])
    for _ in range(2):  # a commit's worth stays until the next one has come
        app.send()
        recommendations.count(app.sent - 1)
    process.wait_for_log("level=warn.*could not be deleted.*the topic grows until this user has the right DELETE on it")
    assert process.stop() == 0


def test_a_wrong_password_ends_the_start(app):
    app.allow()
    process = app.run(app.configure(password="wrong"))
    assert process.wait() == 1
    last = process.log.splitlines()[-1]
    assert re.search("level=error.*are the credentials right.*Invalid username or password", last), process.log
