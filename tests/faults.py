"""What goes wrong on purpose: a process that is killed, a disk without room, a user who may not write.

The work is done by a copy of the test's process, so that the process itself stays whole.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import traceback
from pathlib import Path

import pytest

MODEL = Path(__file__).parent / "fixtures" / "model_v1.npz"


def child(work):
    """Start `work` in a copy of this process, which never comes back from it; the copy's number."""
    number = os.fork()
    if number == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return number


def said_by(work):
    """What error ends `work`, which runs in a copy of this process; "" for none."""
    out, into = os.pipe()

    def tell():
        try:
            work()
        except Exception as error:
            os.write(into, f"{type(error).__name__}: {error}".encode())

    number = child(tell)
    os.close(into)
    with open(out, encoding="utf-8") as pipe:
        words = pipe.read()
    assert os.waitpid(number, 0)[1] == 0
    return words


def as_nobody(work):
    """The same for a user who owns nothing, as permissions mean nothing to root."""

    def give_up_and_work():
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        work()

    return said_by(give_up_and_work)


@pytest.fixture
def read_only():
    """A folder with a file in it, in which nobody may write; others may look into it, unlike tmp_path."""
    folder = Path(tempfile.mkdtemp())
    shutil.copy(MODEL, folder / "model.npz")
    (folder / "model.npz").chmod(0o444)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def full_disk(tmp_path):
    """A disk of 40 kB, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("may not mount a small disk here; RLIMIT_FSIZE stands for it elsewhere")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def with_room_for(limit, work):
    """What `work` says when no file may become longer than `limit`."""
    import resource

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        work()

    return said_by(limited)
