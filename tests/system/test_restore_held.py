"""Restores beside people who can write there: nobody leads one elsewhere, and nobody reaches what has not been checked. And what a
remote could do to whoever restores from it: another sandbox, hooks, words without end."""
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

import backups
import faults
import holdfast
import pytest
from test_plain import plain_job, same, tree  # noqa: F401
from test_restore import TARGETS, fails, member, nothing_restored, target  # noqa: F401

HOME = pathlib.Path("/home/alice")

# Puts a symlink to ELSEWHERE in the place of what a restore grows in, as soon as that is in FOLDER.
EXCHANGE = """
import os, sys
folder, elsewhere = sys.argv[1:]
while True:
    for name in os.listdir(folder):
        if ".holdfast-" in name and not os.path.islink(os.path.join(folder, name)):
            os.rename(os.path.join(folder, name), os.path.join(folder, "gone"))
            os.symlink(elsewhere, os.path.join(folder, name))
            print("exchanged", flush=True)
            sys.exit()
"""


@pytest.fixture
def hers():
    """A folder of alice's with nothing in it."""
    folder = HOME / "place"
    folder.mkdir()
    shutil.chown(folder, "alice", "alice")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def exchanging(hers):
    """alice exchanges what a restore grows in for a symlink to our configuration. Yields what tells whether she has."""
    process = subprocess.Popen(["runuser", "-u", "alice", "--", sys.executable, "-c", EXCHANGE, hers, holdfast.CONFIG],
                               stdout=subprocess.PIPE, text=True)
    yield lambda: process.wait(10) == 0 and process.stdout.read() == "exchanged\n"
    process.kill()
    process.wait()


def configuration():
    return sorted(str(f) for f in holdfast.CONFIG.rglob("*"))


def came(last):
    """A restore goes on in the folder that it holds; or, if that was exchanged before it was held, has noticed."""
    if last["State"] == "completed":
        return True
    assert "symlink" in last["Error"] or "exchanged" in last["Error"], last
    return False


def test_owner_of_the_folder_cannot_lead_an_archive_elsewhere(remote, repository, job, hers, exchanging):
    backup = holdfast.start(job).completes()
    before = configuration()
    last = backups.restore(remote, backup["Id"], hers / "restored").wait()
    assert exchanging() and configuration() == before
    assert not came(last) or same(repository / ".git", hers / "restored/.git")


def test_owner_of_the_folder_cannot_lead_a_copy_elsewhere(remote, tree, hers, exchanging):  # noqa: F811
    backup, _ = holdfast.run_to_the_end(plain_job("led", remote))
    before = configuration()
    last = backups.restore(remote, backup.id, hers / "restored", "copies").wait()
    assert exchanging() and configuration() == before
    assert not came(last) or same(tree, hers / "restored")


def test_symlink_of_a_user_is_not_followed(remote, job, hers):
    backup = holdfast.start(job).completes()
    (hers / "link").symlink_to("/etc")
    assert fails(backups.restore(remote, backup["Id"], hers / "link/restored"), str(hers / "link"), "symlink")
    assert not pathlib.Path("/etc/restored").exists()


def test_symlink_of_root_is_followed_but_is_no_target(remote, repository, job, target):  # noqa: F811
    backup = holdfast.start(job).completes()
    (TARGETS / "real").mkdir()
    (TARGETS / "link").symlink_to("real")
    backups.restore(remote, backup["Id"], TARGETS / "link/restored").completes()
    assert same(repository / ".git", TARGETS / "real/restored/.git")
    assert fails(backups.restore(remote, backup["Id"], TARGETS / "link"), "is a symlink", str(TARGETS / "link"))
    assert (TARGETS / "link").is_symlink()


def test_nobody_reaches_what_has_not_been_checked(remote, job, target):  # noqa: F811
    backup = holdfast.start(job).completes()
    [name] = remote.objects()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for info, content in (member("./", type=tarfile.DIRTYPE, mode=0o777), member("./su", mode=0o4755)):
            tar.addfile(info, content)
    backups.replace_content(remote, name, archive.getvalue())
    path = remote.folder / f"{name}.manifest.json"
    manifest = json.loads(path.read_text())
    manifest["objects"][0]["sha256"] = "0" * 64
    path.write_text(json.dumps(manifest))
    faults.HELD.write_text("held\n")
    # A moment in which tar has all, and has set all modes, and the check has not been made.
    with faults.replaced("rclone", f'/usr/bin/rclone "$@"; end=$?; [[ " $* " != *" cat "* ]] || '
                                   f'while [ -e {faults.HELD} ]; do sleep 0.05; done; exit $end\n'):
        try:
            run = backups.restore(remote, backup["Id"], target)
            unpacked = holdfast.eventually(lambda: list(TARGETS.glob("*/*/su")), what="what tar has unpacked")
            assert unpacked[0].stat().st_mode & 0o7777 == 0o4755
            assert holdfast.sh("ls", unpacked[0], user="alice", check=False).returncode != 0
            assert unpacked[0].parent.parent.stat().st_mode & 0o7777 == 0o700
        finally:
            faults.let_go()
        assert fails(run, "SHA-256")
    assert nothing_restored()


# --- what a manifest says -----------------------------------------------------------------------------------------------------

def rewritten(remote, **fields):
    [path] = (remote.folder / "backups").glob("*.manifest.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_manifest_that_disagrees_with_itself_is_refused(remote, job, target):  # noqa: F811
    backup = holdfast.start(job).completes()
    rewritten(remote, source="zfs")
    with pytest.raises(holdfast.BusError) as refused:
        backups.restore(remote, backup["Id"], "tank/restored")
    assert "disagrees with itself" in refused.value.message and nothing_restored()


def test_manifest_that_changes_after_the_restore_was_authorized_is_refused(remote, job, target):  # noqa: F811
    backup = holdfast.start(job).completes()
    faults.HELD.write_text("held\n")
    held = f'if [[ " $* " == *" copy "* ]] && grep -q holdfast-run- /proc/self/cgroup; then while [ -e {faults.HELD} ]; do sleep 0.05; done; fi\n'
    with faults.replaced("rclone", held + 'exec /usr/bin/rclone "$@"\n'):
        try:
            run = backups.restore(remote, backup["Id"], target)
            rewritten(remote, source="docker")
        finally:
            faults.let_go()
        assert fails(run, "not what was asked for when this restore was authorized", "docker")
    assert nothing_restored()


def test_repository_comes_back_without_what_would_run(remote, repository, job, target):  # noqa: F811
    hook = repository / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch /srv/tests/hook-ran\n")
    hook.chmod(0o755)
    holdfast.git(repository, "config", "core.hooksPath", str(hook.parent))
    backup = holdfast.start(job).completes()
    last = backups.restore(remote, backup["Id"], target).completes()
    for word in (".git/hooks/post-checkout", "core.hookspath", ".restored"):
        assert word in last["Metadata"]["message"], last["Metadata"]
    assert hook.read_text() == (target / ".git/hooks/post-checkout").read_text()
    assert "hooksPath" in (target / ".git/config.restored").read_text()
    holdfast.git(target, "checkout", "--force", "HEAD")
    assert not pathlib.Path("/srv/tests/hook-ran").exists()


# --- what is said -------------------------------------------------------------------------------------------------------------

def test_path_that_cannot_be_made_again_is_told_in_few_words(remote, job, target):  # noqa: F811
    backup = holdfast.start(job).completes()
    lines = "for i in $(seq 40); do printf 'tar: %01900d: Cannot open: File name too long\\n' $i >&2; done"
    with faults.replaced("tar", f"cat >/dev/null; {lines}; exit 2\n"):
        run = backups.restore(remote, backup["Id"], target)
        assert fails(run, "longer than a path on this system may be")
    with faults.replaced("tar", f"cat >/dev/null; {lines.replace('File name too long', 'Odd')}; exit 2\n"):
        run = backups.restore(remote, backup["Id"], target)
        assert fails(run, "Odd") and len(run["Error"].encode()) <= 2048


# --- one refused connection -----------------------------------------------------------------------------------------------------

@pytest.fixture
def refusing():
    """Every look at an object is refused, until the returned function is called with a run that has met with that."""
    refuse = pathlib.Path("/srv/tests/refuse")
    refuse.touch()

    def until_met(run):
        holdfast.eventually(lambda: "attempt 1 of 3 failed" in holdfast.journal(f"HOLDFAST_RUN={run.id}"), what="a failed attempt")
        refuse.unlink()
    script = f'if [[ " $* " == *" --stat "* && -e {refuse} ]]; then echo "connection refused" >&2; exit 1; fi\nexec /usr/bin/rclone "$@"\n'
    with faults.replaced("rclone", script):
        yield until_met
    refuse.unlink(missing_ok=True)


@pytest.mark.parametrize("kind", ["restore", "verify", "drill"])
def test_refused_connection_is_tried_again(remote, job, target, kind, request):  # noqa: F811
    backup = holdfast.start(job).completes()
    until_met = request.getfixturevalue("refusing")
    if kind == "restore":
        run = backups.restore(remote, backup["Id"], target)
    elif kind == "verify":
        run = backups.verify(remote, backup["Id"])
    else:
        run = holdfast.Run(*holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Drill", "(sa{sv})", job, {}))
    until_met(run)
    run.completes()


# --- what is read while old backups go --------------------------------------------------------------------------------------------

def test_backup_that_is_being_read_is_not_pruned(remote, repository, target):  # noqa: F811
    holdfast.create_job(holdfast.flash_job("read", remote, repository, keep={"last": 1}))
    first = holdfast.start("read").completes()
    with faults.rclone_held(" cat ", first["Id"][:8]):
        run = backups.restore(remote, first["Id"], target)
        run.reaches(Phase="restoring")
        second = holdfast.start("read").completes()
        assert second["Metadata"]["pruned"] == [] and first["Id"][:8] in str(second["Metadata"]["beingRead"])
    run.completes()
    third = holdfast.start("read").completes()
    assert {manifest["run"] for manifest in remote.manifests().values()} == {third["Id"]}
