"""Starts and stops Apache Kafka in KRaft mode, one process a node, everything it writes in one folder.

A node is broker and controller at once. As by Kafka's default, a topic that is missing is made for a client that allows
it and asks about it. The folder holds node-N/ (server.properties, data/, kafka.log, pid) and `bootstrap`, the address
for clients. Uses the standard library only, so that it runs before any package is installed.

    python3 tests/cluster.py start [--brokers N] DIR     prints host:port[,host:port…] once every broker answers
    python3 tests/cluster.py stop DIR

The jars are in the folder that TEST_KAFKA names; tests/kafka and tests/run set it.
"""

import argparse
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import time

HOST = "127.0.0.1"
START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 30
POLL_SECONDS = 0.1

# A fixed cluster id (22 characters of URL-safe base64): a cluster's folder is new, so nothing can meet another one.
CLUSTER_ID = "Rm9yZXN0YWxsVGVzdHMwMQ"

PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
log.dirs={data}
num.partitions=1
default.replication.factor={replicas}
min.insync.replicas={insync}
offsets.topic.num.partitions=4
offsets.topic.replication.factor={replicas}
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={insync}
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={insync}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
controlled.shutdown.enable={controlled}
broker.session.timeout.ms={session_ms}
"""

# Kafka's own, and that of one broker which is not started again: where a disk stands still for as long as the former its
# partitions have no leader for a moment, and its coordinator takes those for deleted and leaves out their markers.
SESSION_MS, SESSION_MS_ALONE = 9000, 60000


class ClusterError(Exception):
    """A node that did not start; the message ends with the last lines of its log."""


def free_ports(count):
    """Ports that nobody listened on a moment ago, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def brokers_known(port):
    """How many brokers the one at `port` lists (Kafka's Metadata request, version 1), 0 while it does not answer."""
    body = struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">i", 0)
    try:
        with socket.create_connection((HOST, port), timeout=2) as link:
            link.sendall(struct.pack(">i", len(body)) + body)
            reply = b""
            while len(reply) < 12:
                part = link.recv(12 - len(reply))
                if not part:
                    return 0
                reply += part
            return struct.unpack(">iii", reply)[2]
    except OSError:
        return 0


class Node:
    """One Kafka process and its folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.process = None  # known only to the program that started it

    @property
    def pid(self):
        try:
            return int((self.folder / "pid").read_text())
        except (OSError, ValueError):
            return None

    @property
    def port(self):
        return int((self.folder / "port").read_text())

    def alive(self):
        if self.process is not None:
            return self.process.poll() is None
        try:
            command = pathlib.Path(f"/proc/{self.pid}/cmdline").read_bytes()
        except OSError:
            return False
        # The number may be another process's by now.
        return str(self.folder).encode() in command

    def log_tail(self, lines=25):
        try:
            text = (self.folder / "kafka.log").read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def start(self):
        """Starts the process, in a session of its own, so that the terminal's interrupt does not reach it."""
        with open(self.folder / "kafka.log", "ab") as log:
            self.process = subprocess.Popen(
                [*java(len(list(self.folder.parent.glob("node-*")))), f"-Dforestall.node={self.folder}", "kafka.Kafka", str(self.folder / "server.properties")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True)
        (self.folder / "pid").write_text(str(self.process.pid))

    def send(self, number):
        """Sends a signal and waits until the process is gone; after STOP_SECONDS_MAX it is killed."""
        if not self.alive():
            return
        os.kill(self.pid, number)
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while self.alive():
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)

    def stop(self):
        self.send(signal.SIGTERM)

    def kill(self):
        self.send(signal.SIGKILL)


class Cluster:
    """The nodes under one folder. `Cluster.create` makes them, `Cluster(folder)` finds them again.

    With three or more, topics have three replicas, of which two must have a record before it counts (min.insync.replicas):
    one broker may be killed at any time. One alone can itself break a transaction when it is killed in the middle of it, or
    stands still for longer than its session.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.nodes = [Node(path) for path in sorted(self.folder.glob("node-*"))]

    @classmethod
    def create(cls, folder, brokers=1, session_ms=SESSION_MS):
        folder = pathlib.Path(folder).resolve()
        if list(folder.glob("node-*")):
            raise ClusterError(f"{folder} holds a cluster already; stop it, and give a new folder")
        ports = free_ports(2 * brokers)
        voters = ",".join(f"{n + 1}@{HOST}:{ports[2 * n + 1]}" for n in range(brokers))
        for n in range(brokers):
            home = folder / f"node-{n + 1}"
            home.mkdir(parents=True)
            (home / "port").write_text(str(ports[2 * n]))
            (home / "server.properties").write_text(PROPERTIES.format(
                node=n + 1, voters=voters, host=HOST, port=ports[2 * n], controller_port=ports[2 * n + 1],
                data=home / "data", replicas=min(3, brokers), insync=2 if brokers >= 3 else 1,
                controlled="true" if brokers > 1 else "false", session_ms=session_ms))
            done = subprocess.run(
                [*java(), "kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID,
                 "--config", str(home / "server.properties")],
                stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode != 0:
                raise ClusterError(f"Kafka could not format {home / 'data'}:\n{done.stdout}{done.stderr}")
        cluster = cls(folder)
        (folder / "bootstrap").write_text(cluster.bootstrap + "\n")
        return cluster

    @property
    def bootstrap(self):
        return ",".join(f"{HOST}:{node.port}" for node in self.nodes)

    def start(self):
        for node in self.nodes:
            node.start()
        self.wait()

    def wait(self, nodes=None):
        """Waits until each of the nodes (all) answers and lists as many."""
        deadline = time.monotonic() + START_SECONDS_MAX
        nodes = nodes or self.nodes
        waiting = list(nodes)
        while waiting:
            for node in waiting:
                if not node.alive():
                    raise ClusterError(f"Kafka ended while it started:\n{node.log_tail()}")
            waiting = [node for node in waiting if brokers_known(node.port) < len(nodes)]
            if waiting and time.monotonic() > deadline:
                raise ClusterError(f"Kafka does not answer after {START_SECONDS_MAX} s:\n{waiting[0].log_tail()}")
            time.sleep(POLL_SECONDS if waiting else 0)

    def kill_broker(self, number):
        """kill -9 of one of them; the first is 0."""
        self.nodes[number].kill()

    def start_broker(self, number):
        """Starts one that was killed or stopped, and waits until all that run answer, and know of as many."""
        self.nodes[number].start()
        self.wait([node for node in self.nodes if node.alive()])

    def stop(self):
        """Ends every node at once: nobody reads their data again, and the last of several cannot leave in good order."""
        for node in self.nodes:
            node.kill()


def java(nodes=1):
    lib = os.environ.get("TEST_KAFKA")
    if not lib:
        raise ClusterError("TEST_KAFKA does not name a folder with Kafka's jars; use tests/kafka or tests/run")
    # Of several, what counts is how soon one is up again, on a machine that they share.
    size = ["-Xmx448m"] if nodes == 1 else ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    return ["java", *size, "-cp", f"{lib}/*",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ"]


def main(argv):
    parser = argparse.ArgumentParser(prog="tests/kafka", description="A Kafka for tests, benches and trials.")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("start", help="start brokers, wait until they answer, print the address for clients")
    start.add_argument("--brokers", type=int, default=1, help="how many brokers (default 1)")
    start.add_argument("folder", help="a new or empty folder for everything they write")
    stop = commands.add_parser("stop", help="stop what `start` started")
    stop.add_argument("folder")
    options = parser.parse_args(argv)
    if options.command == "stop":
        Cluster(options.folder).stop()
        return 0
    cluster = None
    try:
        session_ms = SESSION_MS_ALONE if options.brokers == 1 else SESSION_MS
        cluster = Cluster.create(options.folder, options.brokers, session_ms)
        cluster.start()
    except BaseException as problem:
        if cluster:
            cluster.stop()
        if isinstance(problem, ClusterError):
            print(f"kafka: error: {problem}", file=sys.stderr)
            return 1
        raise
    print(cluster.bootstrap)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
