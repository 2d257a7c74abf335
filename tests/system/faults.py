"""Faults on demand, for what the real programs will not do by themselves at the moment that a test wants."""
import contextlib
import os
import pathlib
import re
import shutil
import signal

import holdfast

HELD = pathlib.Path("/srv/tests/held")


STAND_INS = pathlib.Path("/usr/local/bin")
over = set()     # stand-ins that only call the real program any more


def put(stand_in, script):
    """By rename, since somebody may be starting it at this moment: bash opens it only after the kernel has."""
    fresh = stand_in.with_name(f".{stand_in.name}.new")
    fresh.write_text(script if script.startswith("#!") else "#!/bin/bash\n" + script)
    fresh.chmod(0o755)
    fresh.rename(stand_in)


@contextlib.contextmanager
def replaced(program, script):
    """Puts a script before the real program in the search path of our children. It may call /usr/bin/PROGRAM."""
    stand_in = STAND_INS / program
    put(stand_in, script)
    try:
        yield
    finally:
        real = shutil.which(program, path="/usr/bin:/usr/sbin:/bin:/sbin")
        if real:
            put(stand_in, f'exec {real} "$@"\n')
            over.add(stand_in)
        else:
            stand_in.unlink()


def remove_stand_ins():
    """When nothing of ours runs any more."""
    while over:
        over.pop().unlink(missing_ok=True)


@contextlib.contextmanager
def rclone_held(*words):
    """Holds every call of rclone whose command line has all the words, until the block ends or let_go() is called."""
    HELD.write_text("held\n")
    condition = " && ".join(f'[[ " $* " == *{word!r}* ]]' for word in words) or "true"
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


# What a unit is and what it may do, but for what moves by itself while it runs.
MOVES = re.compile(r"(.*Timestamp.*|.*(Current|NSec|Available|Bytes|Packets|Operations|PID|Peak|PSS|FileDescriptorName)|ActiveState|SubState"
                   r"|Result|Status\w+|ExecMain\w+|Job|ControlGroupId|InvocationID|NFileDescriptorStore|NextElapse\w+|LastTrigger\w+|Refs"
                   r"|CanReload|Effective\w+|NeedDaemonReload)$")


def settled(value):
    """Without how far a command has come, which is no part of what it is; in any order, as lists of units are; and as systemd writes it
    down: times to the millisecond, and dollar signs (in arguments of what runs already) escaped."""
    text = re.sub(r"(\.\d{3})\d+s", r"\1s", value.partition(" ; start_time=")[0])
    return sorted(text.replace("\\$", "$").split())


def units_of_ours():
    """Properties by unit, of those that are loaded."""
    units = {}
    for block in holdfast.sh("systemctl", "show", "--all", "holdfast-*").stdout.split("\n\n"):
        shown = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        units[shown.get("Id")] = {name: settled(value) for name, value in shown.items() if not MOVES.match(name)}
    return units


def reload_systemd():
    """What every installation of a package does. All that is known of our units is there afterwards."""
    before = units_of_ours()
    holdfast.sh("systemctl", "daemon-reload")
    after = units_of_ours()
    for name in before.keys() & after.keys():
        lost = {key: (value, after[name].get(key)) for key, value in before[name].items() if after[name].get(key) != value}
        assert not lost, f"{name} has changed: {lost}"
    return before


def let_go():
    HELD.unlink(missing_ok=True)


def kill_worker(run, number=signal.SIGKILL):
    os.kill(int(holdfast.unit(run.unit, "MainPID")["MainPID"]), number)


def kill_child(run, program, number=signal.SIGKILL):
    os.kill(holdfast.eventually(lambda: run.pids().get(program), what=f"{program} in {run.unit}"), number)
