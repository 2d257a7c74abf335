"""The script source: real scripts that do what they should, and all that they should not. After every test nothing is left of
the run: no unit, no folder, no process (conftest.py looks)."""
import contextlib
import itertools
import json
import os
import pathlib
import re
import time

import faults
import holdfast
import pytest

SCRIPTS = pathlib.Path("/srv/tests/scripts")
numbers = itertools.count(1)


@pytest.fixture(scope="module", autouse=True)
def folder():
    SCRIPTS.mkdir(parents=True)
    SCRIPTS.chmod(0o755)


def write_script(body, interpreter="/bin/bash", path=None, mode=0o755):
    """A script of root's, as it should be; returns its path."""
    extension = "py" if "python" in interpreter else "pl" if "perl" in interpreter else "js" if "node" in interpreter else "sh"
    path = pathlib.Path(path or SCRIPTS / f"script{next(numbers)}.{extension}")
    path.write_text(f"#!{interpreter}\n{body}\n")
    path.chmod(mode)
    return path


def script_job(remote, script, config=None, **changes):
    """Creates a job; returns its name."""
    name = f"script-{next(numbers)}"
    document = {"name": name, "remoteName": remote.name, "destinationPath": "backups", "preprocessType": "script",
                "preprocessConfig": {"script": {"scriptPath": str(script)} | (config or {})}}
    holdfast.create_job(document | changes)
    return name


def script_unit(run):
    return f"holdfast-script-{run.id}.service"


def processes(run):
    """Processes of the script's unit."""
    return [pid for folder in pathlib.Path("/sys/fs/cgroup").glob(f"**/{script_unit(run)}")
            for pid in (folder / "cgroup.procs").read_text().split()]


def prepared(remote, body, config=None, interpreter="/bin/bash", timeout=60, **changes):
    """Runs a script that should succeed. Returns the run's last properties and the files that lie at the destination."""
    run = holdfast.start(script_job(remote, write_script(body, interpreter), config, **changes))
    last = run.wait(timeout)
    assert (last["State"], last["Result"], last["Error"]) == ("completed", "done", ""), last
    return last, version(remote, last)


def version(remote, last):
    """Contents of the files of the run's version, by path; the manifest and its list of files beside it do not count."""
    folder = remote.folder / last["OutputPath"].split(":", 1)[1]
    assert folder.is_dir(), remote.files()
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def told(remote, body, config=None, **options):
    """What a script wrote to $HOLDFAST_OUTPUT_DIR/told."""
    return prepared(remote, f"exec >$HOLDFAST_OUTPUT_DIR/told 2>&1\n{body}\nexit 0", config, **options)[1]["told"].decode()


def failed(remote, body, config=None, interpreter="/bin/bash", timeout=60, **changes):
    """Runs a script that should fail. Returns the run's last properties."""
    run = holdfast.start(script_job(remote, write_script(body, interpreter), config, **changes))
    last = run.wait(timeout)
    assert (last["State"], last["Result"]) == ("failed", "failed"), last
    assert remote.files() == []
    return last


# --- a backup -----------------------------------------------------------------------------------------------------------------

def test_what_the_script_writes_is_what_lies_at_the_destination(remote):
    last, files = prepared(remote, """
cd $HOLDFAST_OUTPUT_DIR; mkdir -p sub/empty; printf 'dump\\n' >dump.sql; printf '\\0\\377' >'sub/odd name'; : >sub/nothing
echo "$HOLDFAST_JOB $HOLDFAST_RUN" >who; echo 'said on the way'""")
    assert files == {"dump.sql": b"dump\n", "sub/odd name": b"\0\xff", "sub/nothing": b"",
                     "who": f"{last['Job']} {last['Id']}\n".encode()}
    assert last["Metadata"]["scriptExitCode"] == 0
    assert re.fullmatch(rf"{last['Job']}-\d{{8}}T\d{{6}}Z-{last['Id'][:8]}", last["OutputPath"].split("/")[-1])
    [manifest] = remote.manifests().values()
    assert manifest["source"] == "script" and manifest["script"]["exitCode"] == 0
    assert "said on the way" in holdfast.journal(f"HOLDFAST_RUN={last['Id']}")


ARGUMENTS = ["", " ", "a  b", "$HOME", "${PATH}", "$$", "%i %n %%", "'", '"', "\\", "\\n", "a\nb", "*", "~", "-n", "--", "ü", "`id`", "$(id)"]


def test_arguments_reach_the_script_to_the_letter(remote):
    _, files = prepared(remote, "import json, os, sys\n"
                        "json.dump(sys.argv, open(os.environ['HOLDFAST_OUTPUT_DIR'] + '/argv', 'w'))",
                        {"scriptArgs": ARGUMENTS}, interpreter="/usr/bin/env python3")
    script, *arguments = json.loads(files["argv"])
    assert arguments == ARGUMENTS and script.startswith(str(SCRIPTS))


@pytest.mark.parametrize("interpreter, body", [
    ("/bin/sh", "echo works >$HOLDFAST_OUTPUT_DIR/told"),
    ("/bin/bash -eu", "echo works | grep -P 'w.*s' >$HOLDFAST_OUTPUT_DIR/told"),
    ("/usr/bin/python3 -I", "import os\nprint('works', file=open(os.environ['HOLDFAST_OUTPUT_DIR'] + '/told', 'w'))"),
    ("/usr/bin/perl -w", "open(my $f, '>', \"$ENV{HOLDFAST_OUTPUT_DIR}/told\") or die; print $f \"works\\n\";"),
    ("/usr/bin/env node", "require('fs').writeFileSync(process.env.HOLDFAST_OUTPUT_DIR + '/told', 'works\\n')"),
], ids=lambda value: value.split("/")[-1] if value.startswith("/") else "")
def test_interpreters(remote, interpreter, body):
    if "node" in interpreter and holdfast.sh("which", "node", check=False).returncode:
        pytest.skip("node is not installed")
    assert prepared(remote, body, interpreter=interpreter)[1] == {"told": b"works\n"}


def test_script_runs_where_the_job_says(remote):
    assert told(remote, "pwd") == "/run/holdfast/output\n"
    assert told(remote, "pwd", {"workingDirectory": "/srv"}) == "/srv\n"


def test_script_below_root_that_only_root_may_read(remote):
    home = pathlib.Path("/root/private-scripts")
    home.mkdir(mode=0o700)
    script = write_script("cat $0 >$HOLDFAST_OUTPUT_DIR/told; ls -A /root >>$HOLDFAST_OUTPUT_DIR/told", path=home / "secret.sh", mode=0o700)
    try:
        last = holdfast.start(script_job(remote, script)).wait()
        assert last["State"] == "completed", last
        assert version(remote, last)["told"].decode() == script.read_text() + "private-scripts\n"
    finally:
        holdfast.sh("rm", "-r", home)


# --- the sandbox ----------------------------------------------------------------------------------------------------------------

def test_sandbox_is_tight(remote):
    run = holdfast.start(script_job(remote, write_script("sleep 60")))
    holdfast.eventually(lambda: processes(run))
    security = holdfast.sh("systemd-analyze", "security", "--no-pager", script_unit(run)).stdout
    assert float(re.search(r"Overall exposure level .*: ([0-9.]+)", security)[1]) <= 1.0, security
    properties = holdfast.unit(script_unit(run), "BindsTo", "Slice", "DynamicUser", "MemoryMax", "TasksMax", "CPUQuotaPerSecUSec",
                               "LimitFSIZE", "MemoryDenyWriteExecute", "RuntimeMaxUSec")
    assert properties["BindsTo"] == run.unit and properties["Slice"] == "holdfast-runs.slice"
    assert properties["DynamicUser"] == "yes" and properties["MemoryMax"] == str(1 << 30) and properties["TasksMax"] == "256"
    assert properties["CPUQuotaPerSecUSec"] == "2s" and properties["MemoryDenyWriteExecute"] == "yes"
    assert properties["LimitFSIZE"].isdigit() and properties["RuntimeMaxUSec"] != "infinity"
    run.cancel()
    run.wait()


@pytest.mark.parametrize("place", ["/srv/open", "/etc", "/usr/local/bin", "/var/lib", "/root", "/home", "/run", "/run/holdfast", "/boot"])
def test_script_cannot_write_outside_of_its_output(remote, place):
    everybodys = pathlib.Path("/srv/open")
    everybodys.mkdir()
    everybodys.chmod(0o777)
    try:
        said = told(remote, f"echo x >{place}/outside && echo written")
        assert "Read-only file system" in said or "Permission denied" in said, said
        assert "written" not in said and not os.path.exists(f"{place}/outside")
    finally:
        everybodys.rmdir()


def test_temporary_files_are_the_scripts_own_and_go(remote):
    assert told(remote, "echo x >/tmp/of-the-script && echo x >/var/tmp/of-the-script && echo written") == "written\n"
    assert not [path for path in ("/tmp", "/var/tmp") if "of-the-script" in holdfast.sh("find", path).stdout]


def test_script_cannot_read_what_is_not_for_everybody(remote):
    said = told(remote, "cat /etc/shadow; cat /etc/holdfast/rclone.conf; ls /var/lib/holdfast /etc/holdfast/jobs; ls -A /home; id -u; "
                        "grep Cap /proc/self/status; kill -0 1; ls /proc | grep -c '^[0-9]'; true")
    assert "root:" not in said and "[remote" not in said and "alice" not in said and ".json" not in said
    assert said.count("Permission denied") >= 4, said
    assert all(not int(value, 16) for value in re.findall(r"Cap\w+:\s*(\w+)", said)) and "Operation not permitted" in said


def test_network_is_there_only_where_the_job_says_so(remote):
    body = """import os, socket
listening = socket.socket()
listening.bind(('127.0.0.1', 0))
listening.listen()
socket.create_connection(listening.getsockname())
print(sorted(name for _, name in socket.if_nameindex()), file=open(os.environ['HOLDFAST_OUTPUT_DIR'] + '/told', 'w'))"""
    last = failed(remote, body, interpreter="/usr/bin/python3")
    assert "exited with status 1" in last["Error"] and "Address family not supported" in last["Error"], last["Error"]
    assert "lo" in prepared(remote, body, {"network": True}, interpreter="/usr/bin/python3")[1]["told"].decode()


def test_service_on_the_network_is_out_of_reach(remote):
    import http.server
    import threading
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    body = f"(exec 3<>/dev/tcp/127.0.0.1/{server.server_port}) && echo reached || echo refused"
    try:
        assert told(remote, body).endswith("refused\n")
        assert told(remote, body, {"network": True}) == "reached\n"
    finally:
        server.shutdown()


@pytest.fixture
def homes():
    """/home/shared for everybody, /home/closed for root alone."""
    folders = [pathlib.Path("/home") / name for name in ("shared", "closed")]
    for folder, mode in zip(folders, (0o755, 0o700)):
        folder.mkdir(mode=mode)
        (folder / "file").write_text("here\n")
    yield
    for folder in folders:
        holdfast.sh("rm", "-r", folder)


def test_paths_that_the_job_names_can_be_read_and_not_written(remote, homes):
    body = "cat /home/shared/file; echo x >/home/shared/new && echo written; ls /home"
    assert "here" not in told(remote, body)
    said = told(remote, body, {"readPaths": ["/home/shared"]})
    assert said.startswith("here\n") and "written" not in said and said.endswith("shared\n") and "closed" not in said
    assert "here\n" in told(remote, "cat /home/closed/file /home/shared/file", {"readPaths": ["/home"]})


def test_script_that_may_read_everything(remote, homes):
    body = "cat /home/closed/file; head -1 /etc/shadow; cat /etc/holdfast/rclone.conf; ls /var/lib/holdfast; echo x >/home/closed/new; grep CapEff /proc/self/status"
    assert "here" not in told(remote, body)
    said = told(remote, body, {"readAll": True})
    assert "here\nroot:" in said and "[remote" not in said and "queue" not in said
    assert int(re.search(r"CapEff:\s*(\w+)", said)[1], 16) == 1 << 2  # CAP_DAC_READ_SEARCH
    assert not os.path.exists("/home/closed/new")


def test_script_that_may_read_everything_does_not_see_what_replaces_a_hidden_file(remote):
    flag = pathlib.Path("/srv/go-on")
    body = f"""exec >$HOLDFAST_OUTPUT_DIR/told 2>&1
for i in $(seq 200); do test -e {flag} && break; sleep 0.1; done
cat /etc/holdfast/rclone.conf /etc/holdfast/*; echo there are $(ls /etc/holdfast | wc -l)"""
    run = holdfast.start(script_job(remote, write_script(body), {"readAll": True}))
    try:
        holdfast.eventually(lambda: processes(run))
        beside = holdfast.RCLONE_CONFIG.with_suffix(".new")   # as rclone does when it refreshes a token
        beside.write_text(holdfast.RCLONE_CONFIG.read_text())
        beside.chmod(0o600)
        beside.rename(holdfast.RCLONE_CONFIG)
        flag.touch()
        said = version(remote, run.completes())["told"].decode()
    finally:
        flag.unlink(missing_ok=True)
    assert "[remote" not in said and "there are 0" in said, said


@pytest.mark.parametrize("body, why", [
    ("mkdir files; for i in $(seq 2000); do : >files/$i; done", "it wrote more than 1.0 MiB"),
    ("name=$(printf 'd%.0s' $(seq 200)); for i in $(seq 30); do mkdir $name && cd $name || exit 7; done; echo x >x", "it made folders so deep"),
])
def test_output_that_has_no_size_is_limited_too(remote, body, why):
    last = failed(remote, f"cd $HOLDFAST_OUTPUT_DIR; {body}; sleep 5", {"outputMax": "1M"})
    assert why in last["Error"], last["Error"]


# --- scripts that fail ------------------------------------------------------------------------------------------------------------

def test_exit_status_and_last_lines_are_told(remote):
    last = failed(remote, "for i in $(seq 30); do echo line $i; done; echo 'no such database' >&2; exit 3")
    assert "exited with status 3" in last["Error"] and "line 30 | no such database" in last["Error"], last["Error"]
    assert "line 5 " not in last["Error"] and last["Metadata"]["scriptExitCode"] == 3
    assert "no such database" in holdfast.journal(f"HOLDFAST_RUN={last['Id']}")


def test_binary_output_breaks_nothing(remote):
    last = failed(remote, "head -c 3000000 /dev/urandom; printf '\\n\\033[2Jbell\\a \\377 \\365\\200\\200\\200 end\\n'; exit 1")
    assert "exited with status 1" in last["Error"] and "\\x1b[2Jbell" in last["Error"], last["Error"]
    assert all(c == "\n" or ord(c) >= 32 for c in last["Error"])


def test_output_without_end_of_line_is_told(remote):
    assert "no line break" in failed(remote, "printf 'no line break'; exit 1")["Error"]


@pytest.mark.parametrize("body", ["true", "mkdir $HOLDFAST_OUTPUT_DIR/sub; : >$HOLDFAST_OUTPUT_DIR/sub/empty",
                                  "ln -s /etc/passwd $HOLDFAST_OUTPUT_DIR/link"])
def test_empty_output_is_a_failure(remote, body):
    last = failed(remote, body)
    assert "wrote nothing" in last["Error"] and last["Metadata"]["scriptExitCode"] == 0


def test_timeout_of_the_script(remote):
    began = time.monotonic()
    last = failed(remote, "echo going; sleep 60", {"timeout": 1.5})
    assert time.monotonic() - began < 9
    assert "took longer than its timeout allows (1" in last["Error"] and "going" in last["Error"], last["Error"]


def test_timeout_of_the_preparation_names_the_script(remote):
    last = failed(remote, "sleep 60", preprocessTimeout=3)
    assert last["Error"].startswith("Script '/") and "took longer than preprocessTimeout" in last["Error"], last["Error"]


def test_script_that_ignores_sigterm_is_killed(remote):
    began = time.monotonic()
    last = failed(remote, "trap '' TERM\nwhile true; do sleep 1; done", {"timeout": 1})
    assert 9 < time.monotonic() - began < 25, "SIGKILL comes after 10 seconds"
    assert "its timeout" in last["Error"], last["Error"]


def test_background_children_do_not_outlive_the_script(remote):
    run = holdfast.start(script_job(remote, write_script("""
echo x >$HOLDFAST_OUTPUT_DIR/file
(trap '' TERM; sleep 300; echo late >$HOLDFAST_OUTPUT_DIR/late) & setsid sleep 301 & nohup sleep 302 >/dev/null 2>&1 &
disown -a; exit 0""")))
    holdfast.eventually(lambda: processes(run))
    last = run.wait()
    assert last["State"] == "completed" and version(remote, last) == {"file": b"x\n"}, last
    assert not holdfast.sh("pgrep", "--full", "^sleep 30[012]$", check=False).stdout


def test_fork_bomb_is_contained(remote):
    last = failed(remote, "bomb() { bomb | bomb & }; bomb; sleep 2; echo enough; exit 4", {"timeout": 20})
    assert re.search("Resource temporarily unavailable|exited with|took longer", last["Error"]), last["Error"]


def test_script_that_eats_memory_is_ended(remote):
    last = failed(remote, "eaten = []\nwhile True: eaten.append(bytearray(1 << 20))", interpreter="/usr/bin/python3",
                  limits={"memoryMax": "384M"})
    assert "memoryMax" in last["Error"], last["Error"]


def test_files_of_the_output_are_limited_in_size(remote):
    last = failed(remote, "exec head -c 20M /dev/zero >$HOLDFAST_OUTPUT_DIR/file", {"outputMax": "4M"})
    assert "larger than 4" in last["Error"] and "outputMax" in last["Error"], last["Error"]


@pytest.mark.parametrize("folder", ["$HOLDFAST_OUTPUT_DIR", "/tmp", "/var/tmp"])
def test_many_files_are_limited_together(remote, folder):
    body = f"for i in $(seq 1000); do head -c 500K /dev/zero >{folder}/$i; sleep 0.01; done"
    last = failed(remote, body, {"outputMax": "8M"})
    assert "wrote more than 8" in last["Error"] and "its outputMax" in last["Error"], last["Error"]


@contextlib.contextmanager
def small_cache():
    cache = holdfast.STATE / "cache"
    cache.mkdir(exist_ok=True)
    with faults.mounted(cache, "size=32M,mode=0700"):
        yield


@pytest.mark.parametrize("body", ["exec head -c 100M /dev/zero >$HOLDFAST_OUTPUT_DIR/file",
                                  "for i in $(seq 100); do head -c 1M /dev/zero >$HOLDFAST_OUTPUT_DIR/$i; done; sleep 60",
                                  "for i in $(seq 100); do head -c 1M /dev/zero >$HOLDFAST_OUTPUT_DIR/$i || exit 5; done"])
def test_disk_that_fills_up(remote, body):
    with small_cache():
        last = failed(remote, body)
        assert re.search("room|No space left|size that it may have", last["Error"]), last["Error"]
        assert "Not cleaned up" not in last["Error"] and not list((holdfast.STATE / "cache").iterdir())


def test_output_is_kept_where_the_job_says_so(remote):
    last = failed(remote, "echo half >$HOLDFAST_OUTPUT_DIR/file; exit 1", cleanupOnFailure=False)
    kept = holdfast.STATE / "cache" / last["Id"] / "output"
    assert str(kept) in last["Error"] and (kept / "file").read_text() == "half\n", last["Error"]
    assert [path.name for path in kept.parent.iterdir()] == ["output"]
    holdfast.sh("rm", "-r", kept.parent)


# --- scripts that are refused --------------------------------------------------------------------------------------------------------

def spoil(what):
    script = write_script("echo x >$HOLDFAST_OUTPUT_DIR/file")
    folder = SCRIPTS / f"folder{next(numbers)}"
    if what == "owner":
        holdfast.sh("chown", "alice", script)
    elif what == "group":
        script.chmod(0o775)
    elif what == "others":
        script.chmod(0o757)
    elif what == "mode":
        script.chmod(0o644)
    elif what == "interpreter":
        script.write_text("echo x\n")
    elif what == "windows":
        script.write_text("#!/bin/sh\r\necho x\r\n")
    elif what == "absent interpreter":
        script.write_text("#!/usr/bin/absent\n")
    elif what == "relative interpreter":
        script.write_text("#!sh\n")
    elif what == "gone":
        script.unlink()
    elif what == "folder":
        script.unlink()
        script.mkdir(mode=0o755)
    else:
        folder.mkdir()
        folder.chmod(0o755)
        script = script.rename(folder / script.name)
        if what == "folder's mode":
            folder.chmod(0o777)
        elif what == "folder's owner":
            holdfast.sh("chown", "alice", folder)
        elif what == "closed folder":
            folder.chmod(0o700)
        elif what == "link's folder":
            link = pathlib.Path("/tmp") / script.name
            link.symlink_to(script)
            script = link
    return script


REFUSALS = {
    "owner": "belongs to user", "group": "written to by others", "others": "written to by others", "mode": "not executable",
    "interpreter": "has no interpreter", "windows": "line breaks of Windows", "absent interpreter": "/usr/bin/absent, which is not installed",
    "relative interpreter": "absolute path", "gone": "does not exist", "folder": "not executable", "folder's mode": "written to by others",
    "folder's owner": "belongs to user", "closed folder": "closed to others", "link's folder": "/tmp may be written to by others",
}


@pytest.mark.parametrize("what", REFUSALS)
def test_script_that_is_refused_when_the_job_is_made(remote, what):
    script = spoil(what)
    with pytest.raises(holdfast.BusError) as refused:
        script_job(remote, script)
    assert f"Script '{script}'" in refused.value.message and REFUSALS[what] in refused.value.message, refused.value.message


def test_script_that_was_spoilt_since_is_refused_when_it_is_to_run(remote):
    script = write_script("echo x >$HOLDFAST_OUTPUT_DIR/file")
    job = script_job(remote, script)
    script.chmod(0o777)
    last = holdfast.start(job).wait()
    assert last["State"] == "failed" and "may be written to by others" in last["Error"], last
    assert remote.files() == []


def test_places_that_are_not_there_are_refused(remote):
    with pytest.raises(holdfast.BusError) as refused:
        script_job(remote, write_script("true"), {"workingDirectory": "/srv/absent", "readPaths": ["/home/absent"]})
    assert "'/srv/absent' is not a folder" in refused.value.message and "'/home/absent' in readPaths" in refused.value.message


# --- killed and cancelled ----------------------------------------------------------------------------------------------------------------

def at_the_script(remote, body="echo x >$HOLDFAST_OUTPUT_DIR/file; sleep 300 & sleep 301", **changes):
    """A run whose script runs."""
    run = holdfast.start(script_job(remote, write_script(body), **changes))
    holdfast.eventually(lambda: len(processes(run)) >= 2, what="the script runs")
    return run


def test_worker_killed_while_the_script_runs(remote):
    run = at_the_script(remote)
    faults.kill_worker(run)
    last = run.wait()
    assert (last["State"], last["Result"]) == ("failed", "interrupted") and remote.files() == []


def test_worker_killed_beside_a_script_that_ignores_sigterm(remote):
    run = at_the_script(remote, "trap '' TERM\nsleep 300 & while true; do sleep 1; done")
    faults.kill_worker(run)
    assert run.wait()["Result"] == "interrupted" and remote.files() == []


def test_cancel_while_the_script_runs(remote):
    run = at_the_script(remote)
    run.cancel()
    last = run.wait()
    assert (last["State"], last["Result"]) == ("cancelled", "cancelled"), last
    assert remote.files() == []


@pytest.mark.parametrize("trap", ["trap '' TERM", "trap 'exit 1' TERM", "trap 'exit 0' TERM"])
def test_cancel_whatever_the_script_makes_of_it(remote, trap):
    run = at_the_script(remote, f"{trap}\nsleep 300 & while true; do sleep 0.2; done")
    run.cancel()
    assert run.wait()["Result"] == "cancelled" and remote.files() == []


def test_unit_that_somebody_else_stops(remote):
    run = at_the_script(remote)
    holdfast.eventually(lambda: holdfast.unit(script_unit(run), "ActiveState")["ActiveState"] == "active")
    holdfast.sh("systemctl", "stop", script_unit(run))
    last = run.wait()
    assert last["State"] == "failed" and "SIGTERM" in last["Error"] and remote.files() == [], last


LEDGERED = ("scratch-folder", "scratch", "script output", "script-unit")


@pytest.mark.parametrize("kind", LEDGERED)
def test_worker_killed_at_an_entry_of_the_ledger(remote, kind):
    """As soon as the entry is in the file: about when what it is for comes into being."""
    script = write_script("echo x >$HOLDFAST_OUTPUT_DIR/file; sleep 300")
    job = script_job(remote, script)
    run = holdfast.start(job)
    ledger = holdfast.STATE / "ledger" / f"{run.id}.jsonl"
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(FileNotFoundError):
            if f'"{kind}"' in ledger.read_text():
                break
    faults.kill_worker(run)
    assert run.wait()["Result"] == "interrupted" and remote.files() == []


def test_daemon_that_is_restarted_does_not_touch_the_script(remote):
    run = at_the_script(remote, f"echo x >$HOLDFAST_OUTPUT_DIR/file; sleep 4 & sleep 4")
    holdfast.sh("systemctl", "restart", "holdfast.service")
    last = run.wait()
    assert last["State"] == "completed" and version(remote, last) == {"file": b"x\n"}


def test_cancel_while_the_output_is_copied(remote):
    script = write_script("head -c 8M /dev/urandom >$HOLDFAST_OUTPUT_DIR/file")
    run = holdfast.start(script_job(remote, script, limits={"bandwidth": "1M"}))
    run.reaches(Phase="uploading")
    run.cancel()
    assert run.wait()["Result"] == "cancelled" and remote.files() == []


def test_worker_killed_while_the_output_is_copied(remote):
    script = write_script("head -c 8M /dev/urandom >$HOLDFAST_OUTPUT_DIR/file")
    run = holdfast.start(script_job(remote, script, limits={"bandwidth": "1M"}))
    run.reaches(Phase="uploading")
    faults.kill_worker(run)
    assert run.wait()["Result"] == "interrupted" and remote.files() == []
