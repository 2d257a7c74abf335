"""Retention: which backups go after a run and on demand, in which order, and what is never touched; and what is cleaned up of
runs that ended in the middle."""
import json
import os
import pathlib

import backups
import faults
import holdfast
import pytest
from test_ctl import ctl, ctl_json
from test_plain import plain_job, tree  # noqa: F401
from test_restore_zfs import chain  # noqa: F401
from zpools import dataset, needed, pools  # noqa: F401


def keeping(remote, repository, **rules):
    holdfast.create_job(holdfast.flash_job("kept", remote, repository, keep=rules, limits={"runtimeMax": "1min"}))
    return "kept"


def runs_at(remote):
    """Ids of the runs whose backups are there, each with its object."""
    found = remote.manifests()
    assert sorted(found) == remote.objects(), remote.files()
    return {manifest["run"] for manifest in found.values()}


def name_of(last):
    return last["OutputPath"].split("/")[-1]


def as_if_made(remote, last, stamp, **fields):
    """Another backup of the job with the bytes of this one, made at another time by a run of its own. Returns its name."""
    folder, name = remote.folder / "backups", name_of(last)
    run = os.urandom(16).hex()
    job, _, ending = name.partition("-")
    ending = ending.split(".", 1)[1]
    other = f"{job}-{stamp}-{run[:8]}.{ending}"
    manifest = json.loads((folder / f"{name}.manifest.json").read_text()) | {"run": run} | fields
    manifest["objects"][0]["name"] = other
    (folder / other).write_bytes((folder / name).read_bytes())
    (folder / f"{other}.manifest.json").write_text(json.dumps(manifest))
    return other


# --- after a run ---------------------------------------------------------------------------------------------------------------------

def test_last_backups_stay(remote, repository):
    job = keeping(remote, repository, last=2)
    first, second, third = (holdfast.start(job).completes() for _ in range(3))
    assert runs_at(remote) == {second["Id"], third["Id"]}
    assert third["Metadata"]["pruned"] == [f"{name_of(first)}.manifest.json"]
    assert second["Metadata"]["pruned"] == []


def test_versions_go_with_their_folders(remote, tree):  # noqa: F811
    job = plain_job("documents", remote, layout="versions", keep={"last": 1})
    old, new = holdfast.start(job).completes(), holdfast.start(job).completes()
    assert {path.name for path in (remote.folder / "copies").iterdir()} == {
        name_of(new), f"{name_of(new)}.files.jsonl", f"{name_of(new)}.manifest.json"}, old


def test_what_is_not_the_jobs_is_not_touched(remote, repository):
    job = keeping(remote, repository, last=1)
    old = holdfast.start(job).completes()
    folder = remote.folder / "backups"
    others = [as_if_made(remote, old, "20250101T000000Z", host="elsewhere", machine="e" * 32, startedAt=1), "holiday.jpg", "kept-notes.txt",
              "kept-20250101T000000Z-0123abcd.tar", "kept-20250101T000000Z-1123abcd.tar.manifest.json"]
    for name in others[1:]:
        (folder / name).write_text("{")
    newer = as_if_made(remote, old, "20250102T000000Z", version=2, startedAt=2)
    last = holdfast.start(job).completes()
    assert last["Metadata"]["pruned"] == [f"{name_of(old)}.manifest.json"]
    there = {path.name for path in folder.iterdir()}
    assert there == {*others, f"{others[0]}.manifest.json", newer, f"{newer}.manifest.json", name_of(last), f"{name_of(last)}.manifest.json"}


def test_newest_that_was_read_back_stays(remote, repository):
    job = keeping(remote, repository, last=1)
    first = holdfast.start(job).completes()
    deep = backups.verify(remote, first["Id"], deep=("b", True)).wait()
    assert deep["Metadata"]["proves"] == first["Id"], deep
    second, third = holdfast.start(job).completes(), holdfast.start(job).completes()
    assert runs_at(remote) == {first["Id"], third["Id"]}, second
    [row] = [row for row in ctl_json("prune", job) if row["run"] == first["Id"]]
    assert row["keep"] and row["why"] == "newest proven"
    assert backups.verify(remote, third["Id"], deep=("b", True)).wait()["Result"] == "done"
    fourth = holdfast.start(job).completes()
    assert runs_at(remote) == {third["Id"], fourth["Id"]}


def test_backup_is_none_the_worse_for_what_cannot_be_removed(remote, repository):
    job = keeping(remote, repository, last=1)
    first = holdfast.start(job).completes()
    with faults.replaced("rclone", '[[ " $* " != *" deletefile "* ]] || { echo "2026/01/01 00:00:00 ERROR : no, says the server" >&2; exit 1; }\n'
                                   'exec /usr/bin/rclone "$@"\n'):
        second = holdfast.start(job).completes()
    assert "no, says the server" in second["Metadata"]["pruneProblem"] and second["Metadata"]["pruned"] == []
    assert runs_at(remote) == {first["Id"], second["Id"]}
    third = holdfast.start(job).completes()
    assert runs_at(remote) == {third["Id"]} and len(third["Metadata"]["pruned"]) == 2


@needed[0]
@needed[1]
def test_chain_stays_whole_and_goes_whole(remote, dataset, chain):  # noqa: F811
    _, manifests = chain
    job = manifests[0]["job"]
    holdfast.call(holdfast.jobs()[job], holdfast.JOB, "Update", "(sa{sv})", json.dumps({"keep": {"last": 1}}), {})
    whys = {row["run"]: (row["keep"], row["why"]) for row in ctl_json("prune", job)}
    full, first, second = (manifest["run"] for manifest in manifests)
    assert whys == {second: (True, "newest, one of the last 1"), first: (True, f"base of {second[:8]}"), full: (True, f"base of {first[:8]}")}
    ctl("prune", job, "--now", "--follow")
    assert runs_at(remote) == {full, first, second}
    # Their times are later than the next run's would be: it would not be the newest.
    for path in (remote.folder / "backups").glob("*.manifest.json"):
        manifest = json.loads(path.read_text())
        path.write_text(json.dumps(manifest | {"startedAt": manifest["startedAt"] - 10**9}))
    last = holdfast.start(job).completes()
    assert runs_at(remote) == {last["Id"]}
    order = [next(m["run"] for m in manifests if f"-{m['run'][:8]}." in name) for name in last["Metadata"]["pruned"]]
    assert order == [second, first, full], "no increment is ever without its base"


# --- on demand -----------------------------------------------------------------------------------------------------------------------

def test_prune_says_what_goes_and_why_before_it_does_it(remote, repository):
    job = keeping(remote, repository, last=5)
    last = holdfast.start(job).completes()
    day = 86_400_000_000
    older = [as_if_made(remote, last, f"202501{n:02}T030000Z", startedAt=1735700400000000 + n * day) for n in (3, 2, 1)]
    holdfast.call(holdfast.jobs()[job], holdfast.JOB, "Update", "(sa{sv})", json.dumps({"keep": {"last": 1, "daily": 2, "yearly": 2}}), {})
    before = remote.files()
    rows = {row["manifest"].removesuffix(".manifest.json"): (row["keep"], row["why"]) for row in ctl_json("prune", job, "--dry-run")}
    assert rows.pop(name_of(last))[0]
    assert rows == {older[0]: (True, "daily 2025-01-04, yearly 2025"), older[1]: (False, "no rule keeps it"),
                    older[2]: (False, "no rule keeps it")}
    told = ctl("prune", job)
    assert "goes" in told.stdout and "yearly 2025" in told.stdout and "Nothing was removed" in told.stderr
    assert remote.files() == before
    ctl("prune", job, "--now", "--follow")
    assert set(remote.manifests()) == {f"backups/{older[0]}", f"backups/{name_of(last)}"} == set(remote.objects())
    run = ctl_json("runs", "--limit", "1")[0]
    assert (run["kind"], run["job"]) == ("prune", job) and len(run["metadata"]["pruned"]) == 2
    assert holdfast.properties(holdfast.jobs()[job], holdfast.JOB)["LastRunId"] == last["Id"]


def test_job_that_keeps_all_has_nothing_to_prune(job):
    assert "keep" in ctl("prune", job, status=1).stderr


def test_who_may_not_start_the_job_may_not_prune_it(remote, repository):
    job = keeping(remote, repository, last=1)
    for method in ("PreviewPrune", "Prune"):
        error, _ = holdfast.call_as("bob", holdfast.ROOT, holdfast.MANAGER, method, f"'{job}'", "{}")
        assert "AccessDenied" in error or "InteractiveAuthorizationRequired" in error, error
    for method in ("FindOrphans", "RemoveOrphans"):
        error, _ = holdfast.call_as("bob", holdfast.ROOT, holdfast.MANAGER, method, f"'{remote.name}'", "'backups'", "{}")
        assert "AccessDenied" in error or "InteractiveAuthorizationRequired" in error, error


# --- what is left ----------------------------------------------------------------------------------------------------------------------

@pytest.fixture
def orphan(remote, repository):
    """The name of the object of a backup whose removal was killed once its manifest was gone."""
    job = keeping(remote, repository, last=1)
    first = holdfast.start(job).completes()
    with faults.rclone_held("deletefile", name_of(first) + " "):
        run = holdfast.start(job)
        holdfast.eventually(lambda: not (remote.folder / f"backups/{name_of(first)}.manifest.json").exists())
        faults.kill_worker(run)
        last = run.wait()
    assert last["State"] == "completed", "its own manifest is there"
    assert (remote.folder / "backups" / name_of(first)).exists()
    return name_of(first)


def janitor(remote, *arguments, **options):
    return ctl_json("janitor", remote.name, "backups", *arguments, **options)


def age(remote, name):
    """Gives the object a name as of a run long ago. Returns it."""
    job, stamp, rest = name.split("-")
    old = f"{job}-20260101T000000Z-{rest}"
    (remote.folder / "backups" / name).rename(remote.folder / "backups" / old)
    return old


def test_janitor_removes_what_a_killed_removal_left_and_nothing_else(remote, orphan):
    assert janitor(remote) == [], "younger than the longest run of its job"
    orphan = age(remote, orphan)
    folder = remote.folder / "backups"
    for name in ("holiday.jpg", "kept-20260101T000000Z-0123abcd.tar", orphan + ".bak"):
        (folder / name).write_text("x")
    before = remote.files()
    [row] = janitor(remote)
    assert row["name"] == orphan and row["job"] == "kept"
    ledger = holdfast.STATE / "ledger" / f"{row['run']}.jsonl"
    ledger.touch()
    assert janitor(remote) == [], "the run's own cleanup is not through"
    ledger.unlink()
    assert {row["name"] for row in janitor(remote, "--any-run")} == {orphan, "kept-20260101T000000Z-0123abcd.tar"}
    assert remote.files() == before, "so far it was only looked for"
    told = ctl("janitor", remote.name, "backups")
    assert orphan in told.stdout and "--delete" in told.stderr
    ctl("janitor", remote.name, "backups", "--delete", "--follow")
    assert remote.files() == sorted(set(before) - {f"backups/{orphan}"})
    assert janitor(remote) == []


def test_upload_that_goes_on_is_not_touched(remote, repository):
    (pathlib.Path(repository) / "large").write_bytes(os.urandom(6 << 20))
    holdfast.git(repository, "add", "--all")
    holdfast.create_job(holdfast.flash_job("slow", remote, repository, limits={"bandwidth": "1M"}))
    run = holdfast.start("slow")
    run.moves(1 << 20)
    before = remote.files()
    assert janitor(remote, "--any-run") == []
    ctl("janitor", remote.name, "backups", "--delete", "--any-run", "--follow")
    assert remote.files() == before
    run.cancel()
    run.wait()


def test_upload_in_parts_that_was_never_finished_is_given_up(remote, repository):
    """No S3 server among the packages tells of such uploads, so rclone's answer is a stand-in's."""
    last = holdfast.start(keeping(remote, repository, last=5)).completes()
    stem = name_of(last).removesuffix(".tar")
    old = f"kept-20260101T000000Z-{stem[-8:]}"
    told = json.dumps({"bucket": [{"Key": f"backups/{old}.tar", "UploadId": "1"}, {"Key": "backups/holiday.tar", "UploadId": "2"},
                                  {"Key": f"backups-old/{old}.tar", "UploadId": "3"}]})
    asked = remote.folder / "asked"
    with faults.replaced("rclone", f"""case " $* " in
        *" list-multipart-uploads "*) echo '{told}' ;;
        *" backend cleanup "*) echo "$*" >>{asked} ;;
        *) exec /usr/bin/rclone "$@" ;;
    esac
"""):
        [row] = ctl_json("janitor", remote.name, "bucket/backups", "--any-run")
        assert (row["name"], row["pending"], row["run"]) == (f"{old}.tar", True, last["Id"])
        assert "unfinished" in ctl("janitor", remote.name, "bucket/backups").stdout
        assert not asked.exists()
        ctl("janitor", remote.name, "bucket/backups", "--delete", "--follow")
        assert asked.read_text().endswith(f"cleanup -o max-age=0s -- {remote.name}:bucket/backups/{old}\n")
