"""Plain paths (the source "none"): copied, listed, compared after copying back, broken half-way."""
import hashlib
import json
import os
import pathlib
import signal
import time

import faults
import holdfast
import pytest

SOURCE = pathlib.Path("/srv/tests/plain")
AWKWARD = ["with space", "ümlaut", "quote'\"", "dollar$HOME", "percent%s", "-dash", "line\nbreak", "deep/er/and/deeper"]


def make_tree(folder, files=3, kilobytes=64):
    folder.mkdir(parents=True)
    for number in range(files):
        (folder / f"file-{number}").write_bytes(os.urandom(kilobytes * 1024))
    return folder


@pytest.fixture
def tree():
    yield make_tree(SOURCE)
    holdfast.sh("rm", "-r", SOURCE)


@pytest.fixture
def large():
    """Takes six seconds at 2 MiB/s."""
    yield make_tree(SOURCE, files=6, kilobytes=2048)
    holdfast.sh("rm", "-r", SOURCE)


def plain_job(name, remote, source=SOURCE, **changes):
    document = {"name": name, "remoteName": remote.name, "destinationPath": "copies", "sourcePath": str(source)} | changes
    holdfast.create_job(document)
    return name


def file_list(remote, name):
    lines = (remote.folder / f"{name}.files.jsonl").read_text().splitlines()
    return {entry["path"]: entry for entry in map(json.loads, lines)}


def same(source, copy):
    holdfast.sh("diff", "--recursive", "--no-dereference", source, copy)
    return True


def test_version_is_a_folder_of_its_own_that_copies_back_the_same(remote, tree, tmp_path):
    for name in AWKWARD:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    (tree / "empty folder").mkdir()
    with (tree / "sparse").open("wb") as file:
        file.truncate(3 << 20)
    os.link(tree / "file-0", tree / "second name")
    job = plain_job("versions", remote, layout="versions")
    run, last = holdfast.run_to_the_end(job)
    [name] = remote.manifests()
    assert name.startswith("copies/versions-20") and name.endswith(run.id[:8])
    assert last["OutputPath"] == f"{remote.name}:{name}" and last["Kind"] == "copy"
    assert same(tree, remote.folder / name)

    holdfast.sh("rclone", "--config", holdfast.RCLONE_CONFIG, "copy", "--create-empty-src-dirs", last["OutputPath"], tmp_path / "back")
    assert same(tree, tmp_path / "back")
    holdfast.start(job).completes()
    assert len(remote.manifests()) == 2


def test_manifest_and_list_are_true_of_what_lies_there(remote, tree):
    plain_job("listed", remote, layout="versions")
    last = holdfast.start("listed").completes()
    [(name, manifest)] = remote.manifests().items()
    size = sum(f.stat().st_size for f in tree.iterdir())
    assert manifest["copy"] == {"layout": "versions", "files": 3, "bytes": size, "hash": "sha256", "compared": "time"} and "stream" not in manifest
    [listed] = manifest["objects"]
    text = (remote.folder / f"{name}.files.jsonl").read_bytes()
    assert listed == {"name": f"{name.split('/')[-1]}.files.jsonl", "size": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    for path, entry in file_list(remote, name).items():
        assert entry["hash"] == hashlib.sha256((tree / path).read_bytes()).hexdigest()
        assert entry["size"] == (tree / path).stat().st_size
    assert last["BytesDone"] == last["BytesTotal"] == size and not last["BytesTotalEstimated"]
    assert last["Metadata"]["filesDone"] == last["Metadata"]["filesTotal"] == 3 and last["Metadata"]["bytesProcessed"] == size


def test_mirror_copies_what_changed_and_deletes_nothing(remote, tree):
    job = plain_job("mirror", remote)
    holdfast.start(job).completes()
    assert all((remote.folder / "copies" / f.name).read_bytes() == f.read_bytes() for f in tree.iterdir())
    before = {f: (remote.folder / "copies" / f).stat().st_mtime_ns for f in ("file-0", "file-1", "file-2")}
    (tree / "file-0").write_text("changed")
    (tree / "file-1").unlink()
    (tree / "new").write_text("new")
    last = holdfast.start(job).completes()
    assert last["BytesDone"] == len("changed") + len("new")
    copies = remote.folder / "copies"
    assert (copies / "file-0").read_text() == "changed" and (copies / "new").read_text() == "new"
    assert (copies / "file-1").exists(), "nothing is ever deleted at the destination"
    assert (copies / "file-2").stat().st_mtime_ns == before["file-2"]
    [(name, manifest)] = remote.manifests().items()
    assert name == "copies/mirror.mirror" and manifest["copy"]["files"] == 3
    assert set(file_list(remote, name)) == {"file-0", "file-2", "new"}, "it vouches for what the source had"


def test_manifest_of_a_mirror_is_gone_before_the_first_file_changes(remote, tree):
    job = plain_job("mirror", remote)
    holdfast.start(job).completes()
    (tree / "file-0").write_text("changed")
    with faults.rclone_held("copy --check-first"):
        run = holdfast.start(job)
        run.reaches(Phase="uploading")
        assert remote.manifests() == {}
        assert (remote.folder / "copies/file-0").read_bytes() != b"changed"
    run.completes()
    assert len(remote.manifests()) == 1


def test_single_file(remote, tree):
    plain_job("single", remote, source=tree / "file-1", layout="versions")
    holdfast.start("single").completes()
    [name] = remote.manifests()
    assert (remote.folder / name / "file-1").read_bytes() == (tree / "file-1").read_bytes()
    assert list(file_list(remote, name)) == ["file-1"]


def test_links_and_special_files_are_left_out_and_said(remote, tree):
    (tree / "link").symlink_to("file-0")
    os.mkfifo(tree / "fifo")
    plain_job("special", remote, layout="versions")
    run, last = holdfast.run_to_the_end("special")
    [name] = remote.manifests()
    assert set(file_list(remote, name)) == {"file-0", "file-1", "file-2"}
    assert last["Metadata"]["notices"] == 2
    said = holdfast.journal(f"HOLDFAST_RUN={run.id}")
    assert "fifo: Can't transfer non file/directory" in said and "link: Can't follow symlink" in said


def test_links_can_be_kept_or_followed(remote, tree, tmp_path):
    (tree / "link").symlink_to("file-0")
    plain_job("kept", remote, layout="versions", rcloneOptions={"links": True})
    last = holdfast.start("kept").completes()
    holdfast.sh("rclone", "--config", holdfast.RCLONE_CONFIG, "copy", last["OutputPath"], f":local,links=true:{tmp_path}/back")
    assert os.readlink(tmp_path / "back/link") == "file-0"
    plain_job("followed", remote, layout="versions", rcloneOptions={"copy-links": True})
    last = holdfast.start("followed").completes()
    followed = remote.folder / last["OutputPath"].partition(":")[2] / "link"
    assert not followed.is_symlink() and followed.read_bytes() == (tree / "file-0").read_bytes()


def test_filters_decide_what_is_copied_and_what_is_listed(remote, tree):
    (tree / "junk.tmp").write_text("junk")
    (tree / "cache").mkdir()
    (tree / "cache/x").write_text("x")
    plain_job("filtered", remote, layout="versions", rcloneOptions={"exclude": ["*.tmp", "/cache/**"], "transfers": 2})
    holdfast.start("filtered").completes()
    [name] = remote.manifests()
    assert set(file_list(remote, name)) == {"file-0", "file-1", "file-2"}
    assert not (remote.folder / name / "junk.tmp").exists()


def test_metadata_is_kept_if_asked_for(remote, tree):
    os.chown(tree / "file-0", 1234, 4321)
    (tree / "file-0").chmod(0o640)
    plain_job("owned", remote, layout="versions", rcloneOptions={"metadata": True})
    last = holdfast.start("owned").completes()
    info = (remote.folder / last["OutputPath"].partition(":")[2] / "file-0").stat()
    assert (info.st_uid, info.st_gid, info.st_mode & 0o777) == (1234, 4321, 0o640)


def test_progress_tells_files_in_flight_and_true_totals(remote, large):
    plain_job("watched", remote, layout="versions", limits={"bandwidth": "3M"}, rcloneOptions={"transfers": 2})
    run = holdfast.start("watched")
    last = holdfast.eventually(lambda: (now := run.all())["BytesDone"] > 3 << 20 and now["Metadata"].get("filesInFlight") and now)
    assert last["BytesTotal"] == 12 << 20 and not last["BytesTotalEstimated"] and last["EtaUSec"] > 0
    assert last["Metadata"]["filesTotal"] >= 1 and 1 <= len(last["Metadata"]["filesInFlight"]) <= 2
    assert "uploading" in holdfast.unit(run.unit, "StatusText")["StatusText"]
    run.completes()


def test_bandwidth_holds_and_changes_while_it_runs(remote, large):
    settings = holdfast.CONFIG / "holdfast.json"
    settings.write_text('{"maxTotalBandwidth": 1048576}')
    try:
        holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Reload", "(a{sv})", {})
        plain_job("limited", remote, layout="versions")
        run = holdfast.start("limited")
        run.moves(1 << 20)
        began, before = time.monotonic(), run["BytesDone"]
        time.sleep(4)
        rate = (run["BytesDone"] - before) / (time.monotonic() - began)
        assert 0.5 < rate / (1 << 20) < 1.5
        settings.write_text('{"maxTotalBandwidth": 0}')
        holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Reload", "(a{sv})", {})
        assert run.wait(timeout=4)["State"] == "completed", "the rest goes at once, where it took 6 seconds more"
    finally:
        settings.unlink()
        holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Reload", "(a{sv})", {})


# --- what cannot work ------------------------------------------------------------------------------------------------------------

def test_source_that_is_not_there(remote, tree):
    (tree / "gone").mkdir()
    plain_job("absent", remote, source=tree / "gone")
    (tree / "gone").rmdir()
    last = holdfast.start("absent").wait()
    assert (last["State"], last["Error"]) == ("failed", f"There is no {tree}/gone to back up. Is its file system mounted?")
    assert last["Attempt"] == 0


def test_empty_source_is_no_backup(remote, tree):
    (tree / "mountpoint").mkdir()
    plain_job("empty", remote, source=tree / "mountpoint", layout="versions")
    last = holdfast.start("empty").wait()
    assert last["State"] == "failed" and "no files in" in last["Error"], last
    assert remote.files() == []


def test_destination_in_the_source_is_refused(remote, tree):
    plain_job("itself", remote, source=remote.folder.parent)
    last = holdfast.start("itself").wait()
    assert last["State"] == "failed" and "lies in the source" in last["Error"]
    assert remote.files() == []


def test_destination_that_fills_up(remote, large):
    plain_job("full", remote, layout="versions")
    with faults.mounted(remote.folder, "size=5M"):
        last = holdfast.start("full").wait()
        assert last["State"] == "failed" and "remaining disk space" in last["Error"], last
        assert (last["Attempt"], remote.files()) == (1, [])


def test_destination_that_is_read_only(remote, tree):
    plain_job("readonly", remote, layout="versions")
    with faults.mounted(remote.folder, "ro"):
        last = holdfast.start("readonly").wait()
        assert last["State"] == "failed" and "read-only" in last["Error"], last


def test_file_that_vanishes_at_the_destination_is_copied_again(remote, tree):
    plain_job("vanishing", remote, layout="versions")
    time.sleep(1.1)  # what is younger might have been changed by the copy's beginning
    with faults.rclone_held("lsjson --recursive", remote.name + ":"):
        run = holdfast.start("vanishing")
        run.reaches(Phase="verifying")
        [gone] = [f for f in remote.objects() if f.endswith("file-1")]
        (remote.folder / gone).unlink()
    last = run.wait()
    assert (last["State"], last["Attempt"]) == ("completed", 2), last
    assert (remote.folder / gone).read_bytes() == (tree / "file-1").read_bytes()


def test_source_that_changes_meanwhile_is_still_a_backup(remote, tree):
    plain_job("moving", remote, layout="versions")
    with faults.rclone_held("lsjson --recursive", remote.name + ":"):
        run = holdfast.start("moving")
        run.reaches(Phase="verifying")
        (tree / "file-0").write_text("later")
        (tree / "later").write_text("later")
        (tree / "file-1").unlink()
    last = run.wait()
    assert (last["State"], last["Attempt"]) == ("completed", 1), last
    [name] = remote.manifests()
    assert set(file_list(remote, name)) == {"file-0", "file-1", "file-2"}


# --- killed and cancelled --------------------------------------------------------------------------------------------------------

def nothing_of_a_version(remote):
    assert remote.files() == []
    return True


def test_rclone_that_is_killed_is_started_afresh(remote, large):
    plain_job("killed", remote, layout="versions", limits={"bandwidth": "4M"})
    run = holdfast.start("killed")
    run.moves(4 << 20)
    faults.kill_child(run, "rclone")
    last = run.wait()
    assert (last["State"], last["Attempt"]) == ("completed", 2), last
    [name] = remote.manifests()
    assert same(large, remote.folder / name)


def test_rclone_that_hangs_is_ended_and_started_afresh(remote, large):
    settings = holdfast.CONFIG / "holdfast.json"
    settings.write_text('{"stallWarning": 1, "stallTimeout": 2, "killDelay": 1}')
    try:
        holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Reload", "(a{sv})", {})
        plain_job("hanging", remote, layout="versions", limits={"bandwidth": "4M"})
        run = holdfast.start("hanging")
        run.moves(4 << 20)
        faults.kill_child(run, "rclone", signal.SIGSTOP)
        last = run.wait()
        assert (last["State"], last["Attempt"]) == ("completed", 2), last
    finally:
        settings.unlink()
        holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Reload", "(a{sv})", {})


MOMENTS = {"preprocessing": ("backend", "features"), "uploading": ("copy --check-first",), "verifying": ("lsjson --recursive",),
           "before the list": ("rcat -- ", "files.jsonl"), "before the manifest": ("rcat -- ", "manifest.json")}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("ending", ["killed", "cancelled"])
@pytest.mark.parametrize("layout", ["versions", "mirror"])
def test_whatever_happens_before_the_commit_leaves_no_backup(remote, tree, layout, ending, moment):
    plain_job("ended", remote, layout=layout)
    with faults.rclone_held(*MOMENTS[moment]):
        run = holdfast.start("ended")
        holdfast.eventually(lambda: faults_held(run))
        if ending == "killed":
            faults.kill_worker(run)
        else:
            run.cancel()
        faults.let_go()
        last = run.wait()
    assert last["Result"] == {"killed": "interrupted", "cancelled": "cancelled"}[ending], last
    assert remote.manifests() == {}
    if layout == "versions":
        assert nothing_of_a_version(remote)
    holdfast.remove_job("ended")
    plain_job("ended", remote, layout=layout)
    holdfast.start("ended").completes()


def faults_held(run):
    """Whether the stand-in for rclone waits in the run's unit."""
    return "sleep" in run.pids()


def test_daemon_that_is_killed_finds_its_copy_again(remote, large):
    plain_job("adopted", remote, layout="versions", limits={"bandwidth": "3M"})
    run = holdfast.start("adopted")
    run.moves(1 << 20)
    os.kill(int(holdfast.unit("holdfast.service", "MainPID")["MainPID"]), signal.SIGKILL)
    holdfast.eventually(lambda: holdfast.unit("holdfast.service", "ActiveState")["ActiveState"] != "active")
    holdfast.sh("systemctl", "start", "holdfast.service")
    run.completes()
    [name] = remote.manifests()
    assert same(large, remote.folder / name)
