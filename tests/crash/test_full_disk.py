"""A full disk under the state: `run` ends with one line that says so, and does again for as long as the disk is full; when
there is space it goes on, and nothing is lost or comes twice."""

import os
import resource
import subprocess

import pytest

import harness

DISK_MIB = 32


class Disk:
    """A small file system of its own, which can be filled."""

    def __init__(self, folder):
        self.folder, self.filler = folder, folder / "filler"

    def fill(self):
        with open(self.filler, "ab", buffering=0) as file:
            while self.free() > 0:
                try:
                    file.write(b"x" * self.free())
                except OSError:
                    break

    def free(self):
        about = os.statvfs(self.folder)
        return about.f_bavail * about.f_frsize

    def empty(self):
        self.filler.unlink()


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "none", folder], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"only root can mount a disk: {made.stderr.strip()}")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", folder], check=True)


def end_of(run, why="No space left on device"):
    """It ends by itself; the one line that says why."""
    assert run.process.wait() == 1, run.process.log
    errors = [line for line in run.process.log.splitlines() if "level=error" in line]
    assert len(errors) == 1 and why in errors[0], run.process.log
    return errors[0]


def feed_until_it_ends(run):
    while run.process.running():
        before = run.committed()
        assert run.feed(), "the history is too short to fill anything"
        harness.wait_until(lambda: not run.process.running() or run.committed() > before, "a commit or an end")


def run_until_it_is_full(run, disk):
    """Whatever its end gave back is taken too."""
    run.start()
    run.process.wait_for_log("msg=committed|level=error")
    disk.fill()
    feed_until_it_ends(run)
    assert "nothing is lost" in end_of(run)


# With little memory either the state or pending comes to the full disk first, with more the state alone.
@pytest.mark.parametrize("memory, exchange", [("8MiB", "local"), ("8MiB", "kafka"), ("32MiB", "local")])
def test_full_while_it_runs(trial, disk, memory, exchange):
    run = trial(memory, state={"memory": memory}, exchange=exchange)
    run.feed()
    for _ in range(2):
        run_until_it_is_full(run, disk)
    disk.empty()
    run.check()


def test_full_at_the_first_start(trial, disk):
    run = trial("first")
    disk.fill()
    run.feed()
    run.start()
    assert "instance" in end_of(run)
    disk.empty()
    run.check()


def test_a_limit_of_file_sizes(trial):
    run = trial("limit", log={"level": "info"})
    run.feed()
    run.start()
    run.process.wait_for_log("msg=ready")
    # Beyond what the program has to say: its log is a file too.
    resource.prlimit(run.process.process.pid, resource.RLIMIT_FSIZE, (64 << 10, resource.RLIM_INFINITY))
    while run.process.running() and run.feed():
        pass
    assert "nothing is lost" in end_of(run, "File too large")
    run.check()
