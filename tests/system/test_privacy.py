"""What everybody may read of runs and jobs holds no output of a program, no name of a file and nothing of a job's document."""
import json
import pathlib
import re

import holdfast
import pytest
from holdfast import MANAGER, ROOT, RUN, call, call_as

SECRET = "hunter2-secret"
FOLDER = pathlib.Path("/srv/tests/privacy")
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"


def started_by_alice(job):
    error, output = call_as("alice", ROOT, MANAGER, "StartJob", job, "{}")
    assert error is None, output
    return holdfast.Run(re.search("'([0-9a-f]{32})'", output)[1])


@pytest.fixture
def failing(remote):
    """A job whose script fails with a secret on its lips."""
    FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    script = FOLDER / "fail.sh"
    script.write_text(f"#!/bin/sh\nsleep 1; echo PGPASSWORD={SECRET} >&2; exit 3\n")
    script.chmod(0o755)
    name = "shared-failing"
    holdfast.create_job({"name": name, "remoteName": remote.name, "destinationPath": "backups", "preprocessType": "script",
                         "preprocessConfig": {"script": {"scriptPath": str(script)}}})
    return name


def all_that_bob_sees(run):
    everything = [("ListRuns", "1000", "0", "{}"), ("GetRun", f"'{run.id}'", "{}")]
    seen = [call_as("bob", ROOT, MANAGER, *words)[1] for words in everything]
    seen.append(call_as("bob", ROOT, OBJECT_MANAGER, "GetManagedObjects")[1])
    seen.append(call_as("bob", run.path, "org.freedesktop.DBus.Properties", "GetAll", RUN)[1])
    return "\n".join(seen)


def test_words_of_a_script_are_for_those_who_may_read_them(failing):
    with holdfast.Signals() as signals:
        run = started_by_alice(failing)
        last = run.wait()
        told = signals.named("PropertiesChanged") + signals.named("InterfacesAdded")
    assert last["Result"] == "failed" and SECRET in last["Error"]
    assert SECRET not in str(told)
    assert any("Error" in signal[3][2] for signal in told if signal[2] == "PropertiesChanged"), "it is told that there is one"
    seen = all_that_bob_sees(run)
    assert SECRET not in seen and "The run failed; the details are for root" in seen and "'scriptExitCode': <" in seen
    assert SECRET in call_as("alice", ROOT, MANAGER, "GetRun", f"'{run.id}'", "{}")[1], "she has started it"


def test_details_of_a_run_are_for_whom_read_config_lets_in(failing):
    run = holdfast.start(failing)
    run.wait()
    assert SECRET not in call_as("alice", ROOT, MANAGER, "GetRun", f"'{run.id}'", "{}")[1]
    assert SECRET in call_as("alice", ROOT, MANAGER, "GetRun", f"'{run.id}'", "{'details': <true>}")[1]
    error, output = call_as("bob", ROOT, MANAGER, "GetRun", f"'{run.id}'", "{'details': <true>}")
    assert error is not None and SECRET not in output


def test_a_broken_file_is_quoted_to_root_alone():
    file = holdfast.CONFIG / "jobs" / "broken.json"
    file.write_text(json.dumps({"name": "broken", "remoteName": "r", "preprocessType": "script", SECRET: 1,
                                "preprocessConfig": {"script": {"scriptPath": f"/srv/{SECRET}"}}}))
    try:
        with holdfast.Signals() as signals:
            call(ROOT, MANAGER, "Reload", "(a{sv})", {})
            assert SECRET in str(holdfast.properties(ROOT, MANAGER)["BrokenJobs"])
            assert SECRET not in str(signals.seen)
        seen = call_as("bob", ROOT, "org.freedesktop.DBus.Properties", "GetAll", MANAGER)[1]
        assert "broken.json" in seen and SECRET not in seen
        assert SECRET not in call_as("bob", ROOT, MANAGER, "GetJob", "broken", "{}")[1]
    finally:
        file.unlink()
        call(ROOT, MANAGER, "Reload", "(a{sv})", {})
