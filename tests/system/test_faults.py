"""What must never happen: each test breaks something for real. Before the commit point there is afterwards no manifest and no
object, after it a whole backup and `completed`; and never a leftover (conftest.clean_slate looks for them)."""
import os
import pathlib
import signal
import time

import faults
import holdfast
import pytest


@pytest.fixture
def slow(remote):
    """A job whose stream takes about six seconds."""
    repository = holdfast.make_repository("/srv/tests/slow", commits=3, kilobytes=4096)
    holdfast.create_job(holdfast.flash_job("slow", remote, repository, limits={"bandwidth": "2M"}))
    yield "slow"
    holdfast.sh("rm", "-r", repository)


def nothing_there(remote):
    assert remote.files() == []
    return True


def whole(remote):
    """One object, and a manifest that is true of it."""
    [(name, manifest)] = remote.manifests().items()
    assert remote.objects() == [name]
    assert (remote.folder / name).stat().st_size == manifest["objects"][0]["size"]
    digest = holdfast.sh("sha256sum", remote.folder / name).stdout.split()[0]
    assert digest == manifest["objects"][0]["sha256"]
    return True


# --- the commit gate ----------------------------------------------------------------------------------------------------------

HALF = '/usr/bin/tar "$@" | head -c 100000\n'


def test_the_plain_shell_pipe_commits_a_truncated_object(remote, repository):
    """The fault itself, in the same set-up, so that the gate's tests are known to bite."""
    holdfast.sh("bash", "-c", f"(tar -c -C {repository} .git | head -c 100000; exit 1) | "
                              f"rclone --config {holdfast.RCLONE_CONFIG} rcat {remote.name}:backups/plain.tar")
    assert (remote.folder / "backups/plain.tar").stat().st_size == 100000


@pytest.mark.parametrize("ending, words", [
    ("exit 1", "exited with status 1"),
    ("kill -KILL $$", "was killed by SIGKILL"),
    ("kill -TERM $$; sleep 1", "was killed by SIGTERM"),
])
def test_producer_that_fails_half_way_commits_nothing(remote, job, ending, words):
    with faults.replaced("tar", HALF + ending + "\n"):
        last = holdfast.start(job).wait()
    assert (last["State"], last["Result"], last["Attempt"]) == ("failed", "failed", 3)
    assert words in last["Error"] and "tar" in last["Error"]
    assert nothing_there(remote)


def test_producer_that_sends_nothing_commits_nothing(remote, job):
    with faults.replaced("tar", "exit 0\n"):
        last = holdfast.start(job).wait()
    assert (last["State"], last["Attempt"]) == ("failed", 1), "trying again would not help"
    assert "wrote nothing" in last["Error"]
    assert nothing_there(remote)


def test_producer_that_is_not_there_is_named(remote, job):
    os.rename("/usr/bin/tar", "/usr/bin/tar.away")
    try:
        last = holdfast.start(job).wait()
    finally:
        os.rename("/usr/bin/tar.away", "/usr/bin/tar")
    assert last["State"] == "failed" and '"tar" is not installed' in last["Error"]
    assert nothing_there(remote)


@pytest.mark.parametrize("program", ["tar", "rclone"])
def test_program_that_is_killed_is_started_afresh(remote, slow, program):
    run = holdfast.start(slow)
    run.moves(1 << 20)
    faults.kill_child(run, program)
    last = run.wait()
    assert (last["State"], last["Attempt"]) == ("completed", 2), last
    assert whole(remote)


# --- the destination -------------------------------------------------------------------------------------------------------------

def test_remote_that_is_gone_is_named(remote, job):
    holdfast.RCLONE_CONFIG.write_text("[other]\ntype = local\n")
    last = holdfast.start(job).wait()
    assert last["State"] == "failed" and remote.name in last["Error"]
    assert nothing_there(remote)


def test_destination_that_fills_up(remote, slow):
    with faults.mounted(remote.folder, "size=4M"):
        last = holdfast.start(slow).wait()
        assert last["State"] == "failed" and "no space left" in last["Error"], last
        assert nothing_there(remote)


def test_destination_that_is_read_only(remote, job):
    with faults.mounted(remote.folder, "ro"):
        last = holdfast.start(job).wait()
        assert last["State"] == "failed" and "read-only" in last["Error"], last
        assert nothing_there(remote)


def test_object_that_changes_at_the_destination_is_no_backup(remote, job):
    with faults.rclone_held("cat --buffer-size=0"):
        run = holdfast.start(job)
        run.reaches(Phase="verifying")
        [name] = remote.objects()
        with (remote.folder / name).open("r+b") as file:
            file.seek(70000)
            file.write(b"flipped")
    last = run.wait()
    assert last["State"] == "failed" and "differs at the destination" in last["Error"], last
    assert nothing_there(remote)


# --- the worker is killed, the run is cancelled: at every phase ---------------------------------------------------------------------

# Where rclone is held, and whether the manifest is up by then.
MOMENTS = {
    "preprocessing": (("backend", "features"), False),
    "before the upload": (("rcat", "--ignore-checksum"), False),
    "verifying": (("cat --buffer-size=0",), False),
    "before the manifest": (("rcat -- ",), False),
    "after the manifest": (("cat --count",), True),
}


def start_and_hold(job, moment):
    """Starts the job and returns its run once it waits at the moment."""
    run = holdfast.start(job)

    def held():
        assert run["State"] not in holdfast.OVER, run.all()
        commands = [pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                    for pid in run.pids().values()]
        return any(all(word in command for word in MOMENTS[moment][0]) for command in commands)
    holdfast.eventually(held, what=f"the run waits {moment}")
    return run


@pytest.mark.parametrize("moment", MOMENTS)
def test_worker_that_is_killed(remote, job, moment):
    words, committed = MOMENTS[moment]
    with faults.rclone_held(*words):
        run = start_and_hold(job, moment)
        faults.kill_worker(run)
        faults.let_go()
        last = run.wait()
    if committed:
        assert (last["State"], last["Result"], last["Error"]) == ("completed", "done", "")
        assert whole(remote)
    else:
        assert (last["State"], last["Result"]) == ("failed", "interrupted")
        assert "killed by SIGKILL" in last["Error"]
        assert nothing_there(remote)


@pytest.mark.parametrize("moment", MOMENTS)
def test_run_that_is_cancelled(remote, job, moment):
    words, committed = MOMENTS[moment]
    with faults.rclone_held(*words):
        run = start_and_hold(job, moment)
        run.cancel()
        faults.let_go()
        last = run.wait()
    if last["State"] == "completed":
        assert whole(remote), "a manifest that is up makes the run a backup, whatever came after"
        assert committed or moment == "before the manifest"
    else:
        assert (last["State"], last["Result"], last["Error"]) == ("cancelled", "cancelled", "Cancelled by user 0.")
        assert nothing_there(remote)


def test_worker_killed_while_it_streams(remote, slow):
    run = holdfast.start(slow)
    run.moves(1 << 20)
    faults.kill_worker(run)
    last = run.wait()
    assert (last["State"], last["Result"]) == ("failed", "interrupted")
    assert nothing_there(remote)


def test_cancel_while_it_streams_ends_it_soon_and_once(remote, slow):
    run = holdfast.start(slow)
    run.moves(1 << 20)
    began = time.monotonic()
    run.cancel()
    with pytest.raises(holdfast.BusError) as again:
        run.cancel()
    assert again.value.name.endswith("NotCancelable")
    last = run.wait()
    assert last["State"] == "cancelled" and time.monotonic() - began < 15
    assert nothing_there(remote)


def test_worker_killed_while_it_commits_leaves_no_lock(remote, repository, job):
    (repository / "large").write_bytes(os.urandom(100 << 20))
    run = holdfast.start(job)
    holdfast.eventually(lambda: "git-lock" in (holdfast.STATE / f"ledger/{run.id}.jsonl").read_text()
                        if (holdfast.STATE / f"ledger/{run.id}.jsonl").exists() else False)
    faults.kill_worker(run)
    last = run.wait()
    assert last["Result"] == "interrupted"
    assert nothing_there(remote)
    holdfast.git(repository, "fsck")
    assert holdfast.start(job).wait(120)["State"] == "completed", "the repository is as good as before"
    assert whole(remote)


# --- limits -----------------------------------------------------------------------------------------------------------------------

def with_limits(remote, repository, **limits):
    holdfast.create_job(holdfast.flash_job("limited", remote, repository, limits=limits))
    return holdfast.start("limited")


def test_run_that_takes_too_long(remote):
    repository = holdfast.make_repository("/srv/tests/long", commits=3, kilobytes=4096)
    last = with_limits(remote, repository, bandwidth="500K", runtimeMax="3s").wait()
    assert (last["State"], last["Result"]) == ("failed", "timeout")
    assert "runtimeMax" in last["Error"]
    assert nothing_there(remote)
    holdfast.sh("rm", "-r", repository)


def test_run_that_needs_too_much_memory(remote, repository):
    hog = "exec /usr/bin/python3 -c 'import sys; sys.stdout.write(len(bytearray(b\"x\" * (1 << 30))) * \"y\")'\n"
    with faults.replaced("tar", hog):
        last = with_limits(remote, repository, memoryMax="256M").wait()
    assert (last["State"], last["Result"], last["Attempt"]) == ("failed", "failed", 1), last
    assert "out of memory" in last["Error"] and "memoryMax" in last["Error"], last
    assert nothing_there(remote)


# --- the daemon, systemd ------------------------------------------------------------------------------------------------------------

def test_stream_does_not_notice_that_the_daemon_dies(remote, slow):
    run = holdfast.start(slow)
    run.moves(1 << 20)
    worker = holdfast.unit(run.unit, "MainPID")
    holdfast.sh("systemctl", "kill", "--signal=KILL", "holdfast.service")
    holdfast.eventually(lambda: holdfast.unit("holdfast.service", "ActiveState", "NRestarts") ==
                        {"ActiveState": "active", "NRestarts": "1"} or None, 20)
    before = run["BytesDone"]
    assert run["State"] == "running" and holdfast.unit(run.unit, "MainPID") == worker
    run.moves(before + 1)
    with holdfast.Signals() as signals:
        last = run.wait()
        holdfast.eventually(lambda: signals.named("RunFinished"), 5)
    assert (last["State"], last["Attempt"]) == ("completed", 1)
    assert signals.named("Progress"), "progress arrives again"
    assert whole(remote)


def test_run_that_ends_while_there_is_no_daemon_is_recorded(remote, slow):
    run = holdfast.start(slow)
    run.moves(1 << 20)
    holdfast.sh("systemctl", "stop", "holdfast.service")
    holdfast.eventually(lambda: holdfast.unit(run.unit, "LoadState")["LoadState"] == "not-found", 30)
    assert whole(remote)
    assert run.all()["State"] == "completed", "the daemon is activated by the call and has read the result"


def test_worker_that_dies_while_there_is_no_daemon_is_cleaned_and_recorded(remote, slow):
    run = holdfast.start(slow)
    run.moves(1 << 20)
    holdfast.sh("systemctl", "stop", "holdfast.service")
    faults.kill_worker(run)
    holdfast.eventually(lambda: holdfast.unit(run.unit, "LoadState")["LoadState"] == "not-found", 30)
    assert nothing_there(remote), "the unit's own ExecStopPost has cleaned up"
    assert run.all()["Result"] == "interrupted"


def test_cleanup_that_was_cut_short_is_made_up(remote, slow):
    """Worker and ExecStopPost both killed: what a power cut leaves."""
    run = holdfast.start(slow)
    run.moves(1 << 20)
    with faults.rclone_held("lsjson"):
        faults.kill_worker(run)
        holdfast.eventually(lambda: holdfast.unit(run.unit, "ControlPID")["ControlPID"] not in ("0", ""), 10)
        holdfast.sh("systemctl", "kill", "--signal=KILL", run.unit)
    last = run.wait(60)
    assert last["Result"] == "interrupted", last
    assert nothing_there(remote)


def test_stopping_the_slice_ends_runs_cleanly(remote, slow):
    run = holdfast.start(slow)
    run.moves(1 << 20)
    holdfast.sh("systemctl", "stop", "holdfast-runs.slice", timeout=90)
    last = run.wait()
    assert (last["State"], last["Result"]) == ("failed", "interrupted")
    assert nothing_there(remote)


# --- what is kept on purpose -----------------------------------------------------------------------------------------------------------

def test_cache_file_is_kept_if_the_job_says_so(remote, repository):
    document = holdfast.flash_job("keeps", remote, repository, cleanupOnFailure=False)
    document["preprocessConfig"]["flash"]["streamDirect"] = False
    holdfast.create_job(document)
    with faults.replaced("cat", "exit 1\n"):
        last = holdfast.start("keeps").wait()
    assert last["State"] == "failed"
    assert nothing_there(remote), "a partial object is never kept"
    kept = [f for f in (holdfast.STATE / "cache").rglob("*") if f.is_file() and f.stat().st_size > 100000]
    assert kept, "the cache file should have been kept"
    holdfast.sh("find", holdfast.STATE / "cache", "-mindepth", "1", "-delete")
