"""The package and its service: what is installed, who may reach it, what it may do, and that runs do not hang on it."""
import os
import re
import stat

import pytest

import holdfast
from holdfast import sh, unit


def test_service_is_enabled_and_active():
    state = unit("holdfast.service", "ActiveState", "UnitFileState", "NRestarts")
    assert state == {"ActiveState": "active", "UnitFileState": "enabled", "NRestarts": "0"}


def test_bus_activates_the_service():
    sh("systemctl", "stop", "holdfast.service")
    assert holdfast.properties(holdfast.ROOT, holdfast.MANAGER)["Version"]
    assert unit("holdfast.service", "ActiveState")["ActiveState"] == "active"


@pytest.mark.parametrize("folder, mode", [
    ("/etc/holdfast", 0o755), ("/etc/holdfast/jobs", 0o700), ("/var/lib/holdfast", 0o700), ("/var/lib/holdfast/ledger", 0o700),
    ("/run/holdfast", 0o755), ("/run/holdfast/runs", 0o700)])
def test_folders_are_closed_to_others(folder, mode):
    status = os.stat(folder)
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, 0, mode)


def test_exposure_of_the_service():
    report = sh("systemd-analyze", "security", "--no-pager", "holdfast.service").stdout
    assert float(re.search(r"Overall exposure level for holdfast.service: ([0-9.]+)", report)[1]) <= 1.0


def test_daemon_has_no_capabilities():
    pid = unit("holdfast.service", "MainPID")["MainPID"]
    status = open(f"/proc/{pid}/status").read()
    assert re.search(r"CapBnd:\s0+\n", status) and re.search(r"CapEff:\s0+\n", status)
    assert re.search(r"NoNewPrivs:\s1\n", status) and re.search(r"Seccomp:\s2\n", status)


def test_others_may_ask_for_status():
    error, output = holdfast.call_as("bob", holdfast.ROOT, "org.freedesktop.DBus.Properties", "Get", holdfast.MANAGER, "Version")
    assert error is None, output


@pytest.mark.parametrize("interface", ["org.holdfast1.Other", "org.freedesktop.systemd1.Manager"])
def test_bus_refuses_other_interfaces(interface):
    error, _ = holdfast.call_as("bob", holdfast.ROOT, interface, "Anything")
    assert error == "org.freedesktop.DBus.Error.AccessDenied"


def test_others_cannot_take_the_name():
    request = sh("busctl", "call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "RequestName", "su", "org.holdfast1", "0",
                 user="bob", check=False)
    assert request.returncode != 0 and "Access denied" in request.stderr


def test_actions_are_known_to_polkit():
    actions = {line for line in sh("pkaction").stdout.split() if line.startswith("org.holdfast1.")}
    assert {a.removeprefix("org.holdfast1.") for a in actions} == {
        "run-job", "manage-jobs", "manage-script-jobs", "read-config", "cancel-run", "cancel-other-run", "manage-remotes", "restore", "list-backups",
        "verify"}


def test_upgrade_keeps_jobs_and_restarts_the_daemon(job):
    before = unit("holdfast.service", "MainPID")
    sh("dpkg", "--install", "/var/cache/holdfast.deb")
    assert unit("holdfast.service", "MainPID") != before
    assert job in holdfast.jobs()


def test_backups_have_the_name_that_the_machine_has_when_they_are_made(job, remote):
    before = sh("hostname").stdout.strip()
    sh("hostname", "renamed")
    try:
        holdfast.run_to_the_end(job)
        assert [manifest["host"] for manifest in remote.manifests().values()] == ["renamed"]
    finally:
        sh("hostname", before)
