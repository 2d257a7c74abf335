"""A flash backup from end to end, and the proof: what lies at the destination is fetched, unpacked and compared."""
import hashlib
import json
import pathlib
import tarfile
import time

import holdfast
import pytest


def fetch(remote, run, tmp_path):
    """Downloads the run's object with rclone, checks it against its manifest, and unpacks it. Returns the folder."""
    name = run.all()["OutputPath"].split("/")[-1]
    manifest = remote.manifests()[f"backups/{name}"]
    packed = tmp_path / name
    holdfast.sh("rclone", "--config", holdfast.RCLONE_CONFIG, "copyto", f"{remote.name}:backups/{name}", packed)
    assert hashlib.sha256(packed.read_bytes()).hexdigest() == manifest["objects"][0]["sha256"]
    assert packed.stat().st_size == manifest["objects"][0]["size"]
    if name.endswith(".zst"):
        holdfast.sh("zstd", "--quiet", "--decompress", packed)
        packed = packed.with_suffix("")
    assert hashlib.sha256(packed.read_bytes()).hexdigest() == manifest["stream"]["sha256"]
    assert packed.stat().st_size == manifest["stream"]["size"]
    folder = tmp_path / "restored"
    folder.mkdir()
    with tarfile.open(packed) as tar:
        tar.extractall(folder)
    return folder


def is_whole_repository(restored, original):
    holdfast.git(restored, "fsck", "--strict")
    assert holdfast.git(restored, "rev-list", "--all") == holdfast.git(original, "rev-list", "--all")
    holdfast.git(restored, "checkout", "--force", "master")
    holdfast.sh("diff", "--recursive", "--exclude=.git", original, restored)
    return True


def test_what_is_restored_is_what_was_there(remote, repository, job, tmp_path):
    (repository / "new").write_text("not committed yet\n")
    run, last = holdfast.run_to_the_end(job)
    assert last["Result"] == "done" and last["Error"] == "" and last["Phase"] == "done"
    assert last["BytesDone"] == last["BytesTotal"] > 0 and not last["BytesTotalEstimated"]
    assert last["Metadata"]["gitCommitHash"] == holdfast.git(repository, "rev-parse", "HEAD")
    assert holdfast.git(repository, "log", "-1", "--format=%an %ae %s") == (
        "gitbot gitbot@unraid.net Backup via comprehensive backup system")
    assert is_whole_repository(fetch(remote, run, tmp_path), repository)


def test_manifest_tells_what_the_backup_is(remote, repository, job):
    run, last = holdfast.run_to_the_end(job)
    [(name, manifest)] = remote.manifests().items()
    assert remote.objects() == [name]
    assert last["OutputPath"] == f"{remote.name}:{name}"
    assert name.startswith(f"backups/{job}-20") and name.endswith(f"-{run.id[:8]}.tar")
    assert manifest["version"] == 1 and manifest["run"] == run.id and manifest["job"] == job
    assert manifest["source"] == "flash" and manifest["stream"]["format"] == "tar"
    assert manifest["startedAt"] < manifest["finishedAt"]
    assert "rclone v1" in manifest["tools"]["rclone"]


def test_nothing_changed_makes_no_commit(remote, repository, job):
    holdfast.start(job).completes()
    head = holdfast.git(repository, "rev-parse", "HEAD")
    holdfast.start(job).completes()
    assert holdfast.git(repository, "rev-parse", "HEAD") == head
    assert len(remote.manifests()) == 2


def test_lock_of_another_git_is_waited_for(repository, job):
    lock = repository / ".git/index.lock"
    lock.touch()
    run = holdfast.start(job)
    time.sleep(2)
    assert run["State"] == "running" and run["Phase"] == "preprocessing", run.all()
    lock.unlink()
    run.completes()


def test_lock_that_stays_is_named(repository, job):
    lock = repository / ".git/index.lock"
    lock.touch()
    last = holdfast.start(job).wait()
    assert lock.exists(), "it is not ours"
    lock.unlink()
    assert last["State"] == "failed" and f"{lock} is there" in last["Error"], last


@pytest.mark.parametrize("flash", [
    {"compressionLevel": 5},
    {"streamDirect": False},
    {"streamDirect": False, "compressionLevel": 1},
    {"streamDirect": False, "localCachePath": "/srv/tests/flash-cache/flash.tar"},
], ids=json.dumps)
def test_every_way_of_streaming_gives_the_same(remote, repository, flash, tmp_path):
    pathlib.Path("/srv/tests/flash-cache").mkdir(exist_ok=True)
    document = holdfast.flash_job("ways", remote, repository)
    document["preprocessConfig"]["flash"] |= flash
    holdfast.create_job(document)
    run, _ = holdfast.run_to_the_end("ways")
    assert is_whole_repository(fetch(remote, run, tmp_path), repository)
    if "localCachePath" in flash:
        cached = pathlib.Path(flash["localCachePath"])
        assert tarfile.open(cached).getnames(), "the user's own cache file stays"
        cached.unlink()


def test_without_history_the_committed_tree_is_backed_up(remote, repository, tmp_path):
    document = holdfast.flash_job("tree", remote, repository)
    document["preprocessConfig"]["flash"]["includeGitHistory"] = False
    holdfast.create_job(document)
    run, _ = holdfast.run_to_the_end("tree")
    restored = fetch(remote, run, tmp_path)
    assert not list(restored.rglob(".git"))
    [tree] = [restored] if (restored / "log").exists() else [f for f in restored.iterdir() if (f / "log").exists()]
    holdfast.sh("diff", "--recursive", "--exclude=.git", repository, tree)


def test_folder_without_a_repository_gets_one(remote, tmp_path, repository):
    bare = repository.parent / "fresh"
    bare.mkdir()
    (bare / "go").write_text("#!/bin/bash\n")
    holdfast.create_job(holdfast.flash_job("fresh", remote, bare))
    run, _ = holdfast.run_to_the_end("fresh")
    assert is_whole_repository(fetch(remote, run, tmp_path), bare)
    holdfast.sh("rm", "-r", bare)


def test_private_keys_of_a_flash_drive_stay_at_home(remote, tmp_path, repository):
    boot = repository.parent / "boot"
    (boot / "config/wireguard").mkdir(parents=True)
    (boot / "bzimage").write_bytes(b"\0" * 100)
    (boot / "config/ident.cfg").write_text('NAME="tower"\n')
    (boot / "config/shadow").write_text("root:$6$secret\n")
    (boot / "config/wireguard/wg0.conf").write_text("[Interface]\nPrivateKey=c2VjcmV0LWtleQ==\nAddress=10.0.0.1\n")
    holdfast.create_job(holdfast.flash_job("boot", remote, boot))
    run, _ = holdfast.run_to_the_end("boot")
    restored = fetch(remote, run, tmp_path)
    holdfast.git(restored, "fsck", "--strict")
    everything = holdfast.git(restored, "log", "--all", "--patch", "--text")
    assert "Address=10.0.0.1" in everything and "NAME=" in everything
    assert "c2VjcmV0LWtleQ==" not in everything and "$6$secret" not in everything and "bzimage" not in everything
    assert "c2VjcmV0LWtleQ==" in (boot / "config/wireguard/wg0.conf").read_text(), "the files on disk stay as they are"
    holdfast.sh("rm", "-r", boot)


def test_progress_is_seen_on_the_bus_and_in_systemctl(remote):
    repository = holdfast.make_repository("/srv/tests/large", commits=4, kilobytes=4096)
    holdfast.create_job(holdfast.flash_job("large", remote, repository, limits={"bandwidth": "5M", "memoryMax": "1G",
                                                                                 "tasksMax": 200, "cpuQuota": "150%",
                                                                                 "runtimeMax": "2min"}))
    with holdfast.Signals() as signals:
        run = holdfast.start("large")
        run.moves(1 << 20)
        status = holdfast.sh("systemctl", "status", "--no-pager", run.unit).stdout
        assert "Holdfast" in status and "uploading" in status and "of ~" in status and "attempt 1/3" in status, status
        limits = holdfast.unit(run.unit, "MemoryMax", "TasksMax", "CPUQuotaPerSecUSec", "RuntimeMaxUSec", "Slice", "Type",
                               "KillMode")
        assert limits == {"MemoryMax": str(1 << 30), "TasksMax": "200", "CPUQuotaPerSecUSec": "1.500000s",
                          "RuntimeMaxUSec": "2min", "Slice": "holdfast-runs.slice", "Type": "exec", "KillMode": "mixed"}
        last = run.wait()
    assert last["State"] == "completed", last

    progress = [arguments for path, _, _, arguments in signals.named("Progress") if path == run.path]
    done = [arguments[0] for arguments in progress]
    assert len(done) >= 3 and done == sorted(done), done
    assert len(done) <= 16 * 2 + 4, "more than one signal each 500 ms"
    rates = [arguments[2] for arguments in progress if arguments[0] > 4 << 20 and arguments[2]]
    assert rates and all(3 << 20 < rate < 7 << 20 for rate in rates), rates
    assert [a for _, _, _, a in signals.named("RunStarted")] == [(run.id, run.path, "large")]
    assert [a for _, _, _, a in signals.named("RunFinished")] == [(run.id, run.path, "large", "done")]
    for field in (f"HOLDFAST_RUN={run.id}", "HOLDFAST_JOB=large"):
        assert holdfast.journal(field), f"the journal knows nothing of {field}"
    holdfast.sh("rm", "-r", repository)


def test_history_outlives_the_daemon(job):
    run, last = holdfast.run_to_the_end(job)
    holdfast.sh("systemctl", "restart", "holdfast.service")
    after = run.all()
    for name in ("State", "Result", "Job", "OutputPath", "BytesDone", "StartedAt", "FinishedAt", "Attempt", "Metadata"):
        assert after[name] == last[name], name
    found = holdfast.properties(holdfast.jobs()[job], holdfast.JOB)
    assert (found["LastRunId"], found["LastRunResult"]) == (run.id, "done")
