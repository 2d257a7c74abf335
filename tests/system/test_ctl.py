"""holdfastctl as a person and as a script use it."""
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


def test_a_terminal_gets_a_bar(document):
    ctl("job", "create", document)
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execvp("holdfastctl", ["holdfastctl", "start", "nightly", "--follow"])
    seen = b""
    while True:
        try:
            seen += os.read(terminal, 4096)
        except OSError:  # EIO: the other side is closed
            break
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert b"\r" in seen and b"MiB" in seen or b"KiB" in seen, seen


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
    page = pathlib.Path("/usr/share/man/man1/holdfastctl.1").read_text()
    assert page.splitlines()[1].startswith('.TH "HOLDFASTCTL" "1"') and "janitor" in page
