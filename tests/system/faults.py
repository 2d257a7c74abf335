"""Faults on demand, for what the real programs will not do by themselves at the moment that a test wants."""
import contextlib
import os
import pathlib
import signal

import holdfast

HELD = pathlib.Path("/srv/tests/held")


@contextlib.contextmanager
def replaced(program, script):
    """Puts a script before the real program in the search path of our children. It may call /usr/bin/PROGRAM."""
    stand_in = pathlib.Path("/usr/local/bin") / program
    stand_in.write_text("#!/bin/bash\n" + script)
    stand_in.chmod(0o755)
    try:
        yield
    finally:
        stand_in.unlink()


@contextlib.contextmanager
def rclone_held(*words):
    """Holds every call of rclone whose command line has all the words, until the block ends or let_go() is called."""
    HELD.write_text("held\n")
    condition = " && ".join(f'[[ " $* " == *{word!r}* ]]' for word in words)
    with replaced("rclone", f'if {condition}; then while [ -e {HELD} ]; do sleep 0.05; done; fi\nexec /usr/bin/rclone "$@"\n'):
        try:
            yield
        finally:
            let_go()


@contextlib.contextmanager
def mounted(folder, options):
    """A tmpfs over the folder: small, or read-only."""
    holdfast.sh("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder)
    try:
        yield
    finally:
        holdfast.sh("umount", folder)


def let_go():
    HELD.unlink(missing_ok=True)


def kill_worker(run, number=signal.SIGKILL):
    os.kill(int(holdfast.unit(run.unit, "MainPID")["MainPID"]), number)


def kill_child(run, program, number=signal.SIGKILL):
    os.kill(holdfast.eventually(lambda: run.pids().get(program), what=f"{program} in {run.unit}"), number)
