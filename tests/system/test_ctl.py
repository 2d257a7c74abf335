"""holdfastctl as a person and as a script use it."""
import gzip
import json
import os
import pathlib
import pty
import subprocess
import time

import faults
import holdfast
import pytest


def ctl(*arguments, user=None, status=0, **options):
    done = holdfast.sh("holdfastctl", *arguments, user=user, check=False, **options)
    assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
    return done


def ctl_json(*arguments, **options):
    return json.loads(ctl("--json", *arguments, **options).stdout)


@pytest.fixture
def document(remote, repository, tmp_path):
    file = tmp_path / "job.json"
    file.write_text(json.dumps(holdfast.flash_job("nightly", remote, repository)))
    return file


def test_a_job_from_its_document_to_its_end(document, remote):
    ctl("validate", document)
    ctl("job", "create", document)
    assert "nightly" in ctl("job", "list").stdout
    assert json.loads(ctl("job", "show", "nightly", "--config").stdout) == json.loads(document.read_text())

    followed = ctl("start", "nightly", "--follow")
    shown = followed.stdout + followed.stderr
    assert "\r" not in shown and "\x1b" not in shown, "plain lines in a pipe"
    [run] = ctl_json("runs", "--job", "nightly")
    assert run["result"] == "done" and run["outputPath"] in shown
    for name in (run["id"], run["id"][:8], "nightly"):
        assert run["outputPath"] in ctl("show", name).stdout
    assert "is whole" in ctl("log", "nightly").stdout
    assert "nightly" in ctl("status").stdout

    ctl("job", "remove", "nightly", "--yes")
    assert "nightly" not in ctl("job", "list").stdout
    assert len(remote.manifests()) == 1, "backups stay"


def test_job_edit_sends_what_was_changed_and_loses_nothing(document, tmp_path):
    ctl("job", "create", document)
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i \'s/"backups"/"elsewhere"/\' "$1"\n')
    editor.chmod(0o755)
    ctl("job", "edit", "nightly", env=os.environ | {"EDITOR": str(editor)})
    assert ctl_json("job", "show", "nightly")["config"]["destinationPath"] == "elsewhere"

    editor.write_text('#!/bin/sh\nsed -i \'s/"elsewhere"/"..\\/up"/\' "$1"\n')
    refused = ctl("job", "edit", "nightly", env=os.environ | {"EDITOR": str(editor)}, status=1)
    assert "/destinationPath" in refused.stderr
    assert ctl_json("job", "show", "nightly")["config"]["destinationPath"] == "elsewhere"


def test_everything_wrong_is_said_at_once(tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"name": "../x", "remoteName": ":local:/etc", "preprocessType": "flash", "surprise": 1,
                               "preprocessConfig": {"flash": {"gitPath": "boot", "compressionLevel": 11}}}))
    told = ctl("validate", bad, status=1)
    for pointer in ("/name", "/remoteName", "/surprise", "/preprocessConfig/flash/gitPath",
                    "/preprocessConfig/flash/compressionLevel"):
        assert pointer in told.stdout + told.stderr, pointer
    problems = ctl_json("validate", bad, status=1)
    assert "/surprise" in json.dumps(problems)
    assert not list(pathlib.Path("/etc/holdfast/jobs").iterdir())


@pytest.mark.parametrize("content, words", [
    ("{", "JSON"), ("[]", "object"), ('{"name": "a", "name": "b"}', "name"), ("x" * 70000, "64 KiB")],
    ids=["cut", "array", "twice", "large"])
def test_what_is_no_document_is_explained(tmp_path, content, words):
    file = tmp_path / "x.json"
    file.write_text(content)
    told = ctl("job", "create", file, status=1)
    assert words in told.stderr, told.stderr
    assert not list(pathlib.Path("/etc/holdfast/jobs").iterdir())


def test_exit_statuses_tell_scripts_what_happened(document, remote, tmp_path):
    ctl("no-such-command", status=2)
    ctl("start", "nosuch", status=1)
    ctl("show", "0" * 32, status=1)
    ctl("job", "create", document)
    ctl("--no-ask-password", "start", "nightly", user="bob", status=3)
    assert ctl_json("--no-ask-password", "start", "nightly", user="bob", status=3)["error"]["name"].startswith("org.")
    holdfast.RCLONE_CONFIG.write_text("")
    ctl("start", "nightly", "--follow", status=1)


def test_following_a_run_that_is_cancelled(remote):
    repository = holdfast.make_repository("/srv/tests/followed", commits=2, kilobytes=4096)
    holdfast.create_job(holdfast.flash_job("followed", remote, repository, limits={"bandwidth": "1M"}))
    follower = subprocess.Popen(["holdfastctl", "--json", "start", "followed", "--follow"], stdout=subprocess.PIPE, text=True)
    first = json.loads(follower.stdout.readline())
    assert first["event"] == "progress"
    time.sleep(1)
    ctl("cancel", "followed")
    lines = [json.loads(line) for line in follower.stdout]
    assert follower.wait(30) == 4
    assert lines[-1]["event"] == "finished" and lines[-1]["run"]["result"] == "cancelled"
    holdfast.sh("rm", "-r", repository)


def on_a_terminal(*arguments):
    """What somebody sees there."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execvp("holdfastctl", ["holdfastctl", *arguments])
    seen = b""
    while True:
        try:
            seen += os.read(terminal, 4096)
        except OSError:  # EIO: the other side is closed
            break
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return seen.decode()


def test_a_terminal_gets_a_bar(document):
    ctl("job", "create", document)
    seen = on_a_terminal("start", "nightly", "--follow")
    assert "\r" in seen and "MiB" in seen or "KiB" in seen, seen


def test_remotes(remote):
    assert remote.name in ctl("remote", "list").stdout
    report = ctl_json("remote", "check", remote.name)
    assert report["streams"] and report["writable"] and "sha256" in report["hashes"] and report["free"] > 0
    assert remote.files() == [], "the test object is removed"
    ctl("remote", "check", "nosuch", status=1)
    with faults.mounted(remote.folder, "ro"):
        assert "read-only" in ctl("remote", "check", remote.name, status=1).stdout


@pytest.mark.parametrize("command", [
    ["busctl", "call", "org.holdfast1", "/org/holdfast1", "org.holdfast1.Manager", "ListJobs", "a{sv}", "0"],
    ["gdbus", "call", "--system", "--dest", "org.holdfast1", "--object-path", "/org/holdfast1", "--method",
     "org.holdfast1.Manager.ListJobs", "{}"]], ids=["busctl", "gdbus"])
def test_other_clients_see_the_same(job, command):
    assert job in holdfast.sh(*command, user="bob").stdout


def test_a_backup_is_listed_verified_and_restored(document, remote, repository, tmp_path):
    ctl("job", "create", document)
    ctl("start", "nightly", "--follow")
    [backup] = ctl_json("backups", "nightly")
    place = ("--remote", remote.name, "--path", "backups")
    assert ctl_json("backups") == [backup] == ctl_json("backups", *place)
    shown = ctl("backups", "nightly").stdout
    assert backup["run"][:8] in shown and "nightly" in shown and "flash" in shown
    ctl("verify", "nightly", "--deep", "--follow")
    ctl("restore", "nightly", tmp_path / "by-job", "--follow")
    ctl("job", "remove", "nightly", "--yes")
    ctl("restore", backup["run"][:8], tmp_path / "by-run", "--follow")
    ctl("restore", backup["run"][:8], tmp_path / "by-place", "--follow", *place)
    for name in ("by-job", "by-run", "by-place"):
        holdfast.sh("diff", "--recursive", "--no-dereference", repository / ".git", tmp_path / name / ".git")
    assert "is not empty" in ctl("restore", backup["run"], tmp_path / "by-run", "--follow", status=1, user=None).stdout
    (remote.folder / "backups/broken.manifest.json").write_text("{")
    broken = ctl("backups", *place, status=1)
    assert "broken.manifest.json" in broken.stderr and backup["run"][:8] in broken.stdout
    assert "--remote" in ctl("backups", status=1).stderr, "no jobs tell where"


def completed(*words):
    """What bash offers in place of the last word."""
    script = (". /usr/share/bash-completion/completions/holdfastctl; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); "
              "_holdfastctl; printf '%s\\n' \"${COMPREPLY[@]}\"")
    return holdfast.sh("bash", "-c", script, "bash", "holdfastctl", *words).stdout.split()


def test_shell_completes_commands_options_and_names(job, remote, tmp_path):
    assert completed("sta") == ["start", "status"]
    assert completed("job", "s") == ["show", "set"]
    assert completed("start", "--fo") == ["--follow"]
    assert completed("start", job[:3]) == completed("job", "show", job[:3]) == [job]
    assert remote.name in completed("remote", "check", "")
    (tmp_path / "folder").mkdir()
    assert completed("restore", job, f"{tmp_path}/fo") == [f"{tmp_path}/folder"]


def test_manual_page_is_installed():
    page = gzip.open("/usr/share/man/man1/holdfastctl.1.gz", "rt").read()
    assert page.splitlines()[1].startswith('.TH "HOLDFASTCTL" "1"') and "janitor" in page


def test_a_broken_job_file_is_told_by_the_exit_status_of_json_too():
    broken = holdfast.CONFIG / "jobs/broken.json"
    broken.write_text("{")
    try:
        ctl("reload", status=1)
        assert ctl_json("status", status=1)["service"]["brokenJobs"] and ctl_json("reload", status=1)["brokenJobs"]
    finally:
        broken.unlink()
        ctl("reload")


def test_monitoring_is_told_by_the_exit_status_of_a_check(document, repository):
    ctl("job", "create", document)
    holdfast.start("nightly").completes()
    ctl("status", "--check")
    holdfast.sh("mv", repository, f"{repository}.away")
    holdfast.start("nightly").wait()
    assert [job["alerts"] for job in ctl_json("status", "--check", status=1)["jobs"]] == [["last run failed"]]
    ctl("status", "--check", status=1)
    ctl("status")
    holdfast.sh("mv", f"{repository}.away", repository)


@pytest.mark.parametrize("words", ["status", "--json status", "runs", "--help", "--version"])
def test_what_cannot_be_written_is_a_failure(words):
    for closed in (">/dev/full", ">&-"):
        told = holdfast.sh("bash", "-c", f"holdfastctl {words} {closed}", check=False)
        assert told.returncode == 1 and "Standard output could not be written" in told.stderr, (closed, told)


def test_the_log_holds_no_line_that_another_user_has_forged(document):
    ctl("job", "create", document)
    run, _ = holdfast.run_to_the_end("nightly")
    for field in (f"HOLDFAST_RUN={run.id}", f"UNIT={run.unit}", f"OBJECT_SYSTEMD_UNIT={run.unit}"):
        holdfast.sh("logger", "--journald", user="bob", input=f"MESSAGE=forged by bob\n{field}\n")
    holdfast.eventually(lambda: "forged by bob" in holdfast.journal(f"HOLDFAST_RUN={run.id}"))
    shown = ctl("log", "nightly").stdout
    assert "is whole" in shown and "forged" not in shown


def test_the_name_of_a_job_means_its_last_backup(document, tmp_path):
    ctl("job", "create", document)
    run, _ = holdfast.run_to_the_end("nightly")
    ctl("verify", "nightly", "--follow")
    ctl("restore", "nightly", tmp_path / "restored", "--follow")
    kinds = [line.split()[2] for line in ctl("runs", "--limit", "3").stdout.splitlines()]
    assert kinds == ["KIND", "restore", "verify", "backup"]
    assert run.id in ctl("show", "nightly").stdout
    assert "is whole" in ctl("log", "nightly").stdout


def test_a_run_that_failed_shows_no_place_as_if_something_were_there(document, repository):
    ctl("job", "create", document)
    holdfast.sh("rm", "-r", repository)
    told = ctl("start", "nightly", "--follow", status=1)
    run = ctl_json("runs", "--job", "nightly")[0]
    assert run["outputPath"] not in told.stdout + told.stderr
    assert f"Meant for:   {run['outputPath']}" in ctl("show", run["id"]).stdout


def test_a_job_that_must_wait_is_said_to_be_queued(remote):
    repository = holdfast.make_repository("/srv/tests/waited-for", commits=2, kilobytes=4096)
    holdfast.create_job(holdfast.flash_job("one-at-a-time", remote, repository, limits={"bandwidth": "500K"}))
    holdfast.start("one-at-a-time").moves()
    assert "is queued and waits: " in on_a_terminal("start", "one-at-a-time")
    lines = ctl("status").stdout.splitlines()
    assert "running" in lines[1] and max(map(len, lines)) <= 80, lines
    assert on_a_terminal("status").count("\n") == 2, "nothing is wrapped"
    ctl("stop", "one-at-a-time")
    for run in ctl_json("runs", "--job", "one-at-a-time"):
        holdfast.Run(run["id"]).wait()
    holdfast.sh("rm", "-r", repository)


def test_a_mirror_that_was_left_half_changed_is_told(remote, tmp_path):
    (tmp_path / "large").write_bytes(os.urandom(4 << 20))
    job = {"name": "mirrored", "remoteName": remote.name, "destinationPath": "m", "sourcePath": str(tmp_path)}
    holdfast.create_job(job | {"limits": {"bandwidth": "500K"}})
    run = holdfast.start("mirrored")
    run.moves()
    run.cancel()
    run.wait()
    assert "mirror not whole" in ctl("status").stdout
    assert "is not whole" in ctl("backups", "mirrored").stderr
    assert "is not whole" in ctl("restore", "mirrored", "/srv/restored", status=1).stderr
    ctl("job", "set", "mirrored", "limits=")
    holdfast.start("mirrored").completes()
    assert "mirror not whole" not in ctl("status").stdout and ctl("backups", "mirrored").stderr == ""


def forget_all_runs():
    """As a machine that was installed anew."""
    holdfast.sh("systemctl", "stop", "holdfast.service")
    for file in holdfast.STATE.glob("history.db*"):
        file.unlink()
    holdfast.sh("systemctl", "start", "holdfast.service")


def test_an_id_that_is_listed_is_an_id_everywhere(document, remote, tmp_path):
    ctl("job", "create", document)
    run, _ = holdfast.run_to_the_end("nightly")
    forget_all_runs()
    assert run.id[:8] in ctl("backups", "nightly").stdout
    ctl("restore", run.id[:8], tmp_path / "restored", "--follow")
    ctl("verify", run.id, "--follow")
    ctl("verify", run.id[:4], "--follow", "--remote", remote.name)
    assert "--remote" in ctl("restore", "0" * 8, tmp_path / "other", status=1).stderr


def test_backups_are_found_in_any_folder_below(remote, repository, tmp_path):
    for number, path in enumerate(["", "one/a", "two"]):
        holdfast.create_job(holdfast.flash_job(f"job{number}", remote, repository, destinationPath=path))
        holdfast.start(f"job{number}").completes()
    found = {(row["job"], row["path"]) for row in ctl_json("backups", "--remote", remote.name)}
    assert found == {("job0", ""), ("job1", "one/a"), ("job2", "two")}
    assert f"In {remote.name}:one/a:" in ctl("backups", "--remote", remote.name).stdout
    assert [row["job"] for row in ctl_json("backups", "--remote", remote.name, "--path", "one")] == ["job1"]
    assert "or anywhere below" in ctl("backups", "--remote", remote.name, "--path", "none").stdout
    shown = ctl("backups").stdout
    assert all(f"In {remote.name}:{path}:" in shown for path in ("", "one/a", "two"))


def test_a_job_comes_back_from_its_backup_without_what_may_be_secret(remote):
    script = pathlib.Path("/usr/local/bin/dump-of-ctl.sh")
    script.write_text("#!/bin/sh\necho kept >$HOLDFAST_OUTPUT_DIR/dump\n")
    script.chmod(0o755)
    config = {"scriptPath": str(script), "scriptArgs": ["--password", "hunter2"]}
    job = {"name": "dump", "remoteName": remote.name, "destinationPath": "d", "preprocessType": "script",
           "preprocessConfig": {"script": config}, "schedule": "daily"}
    holdfast.create_job(job)
    run, _ = holdfast.run_to_the_end("dump")
    assert not any("hunter2" in file.read_text() for file in remote.folder.rglob("*.manifest.json"))
    holdfast.remove_job("dump")
    forget_all_runs()

    place = ("--remote", remote.name)
    printed = ctl("job", "create", "--from-backup", run.id, *place, "--print")
    assert json.loads(printed.stdout)["preprocessConfig"] == {"script": {"scriptPath": str(script)}} and holdfast.jobs() == {}
    told = ctl("job", "create", "--from-backup", run.id[:8], *place, "--yes")
    assert "preprocessConfig.script.scriptArgs" in told.stderr
    back = json.loads(ctl("job", "show", "dump", "--config").stdout)
    config.pop("scriptArgs")
    assert back == job | {"enabled": False}
    assert "FILE" in ctl("job", "create", status=2).stderr
    script.unlink()


def test_what_stays_where_it_is_is_said(document, remote):
    ctl("job", "create", document)
    assert ctl("job", "set", "nightly", "destinationPath=first").stderr == "", "there is none yet"
    holdfast.start("nightly").completes()
    place = f"--remote {remote.name} --path first"
    assert place in ctl("job", "set", "nightly", "destinationPath=second").stderr
    ctl("job", "set", "nightly", "destinationPath=first")
    assert place in ctl("job", "remove", "nightly", "--yes").stderr


def test_who_has_remotes_elsewhere_is_told_where_they_belong():
    own = pathlib.Path("/root/.config/rclone/rclone.conf")
    own.parent.mkdir(parents=True)
    own.write_text("[mine]\ntype = local\n")
    try:
        told = ctl("remote", "list", env=os.environ | {"HOME": "/root"})
        assert str(own) in told.stderr and "/etc/holdfast/rclone.conf" in told.stderr
    finally:
        own.unlink()
        own.parent.rmdir()
