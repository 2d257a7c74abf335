"""Set-up of the system tests. They run as root in a throw-away container (tests/sandbox), and nowhere else: they make users,
kill services and fill disks."""
import contextlib
import itertools
import pathlib
import subprocess
import sys
import time

import pytest

import faults
import holdfast

CONTAINER = subprocess.run(["systemd-detect-virt", "--quiet", "--container"]).returncode == 0
if not CONTAINER and not pathlib.Path("/etc/holdfast-test-vm").exists():   # tests/vm/image makes that file
    pytest.exit("the system tests run in a container only: tests/run system", returncode=2)

DATA = pathlib.Path("/srv/tests")
RULES = pathlib.Path("/etc/polkit-1/rules.d/50-holdfast-tests.rules")
SANITIZER_REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer")

numbers = itertools.count(1)


def pytest_addoption(parser):
    parser.addoption("--matrix", default="some", help="how much of the fault matrix (test_matrix.py): some, all, or a source")


def pytest_terminal_summary(terminalreporter):
    if "matrix" in sys.modules and sys.modules["matrix"].rows:
        terminalreporter.section("fault matrix: result and leftovers")
        terminalreporter.write_line("\n".join(sys.modules["matrix"].table()))


@pytest.fixture(scope="session", autouse=True)
def people():
    """alice is let in by a rule, to the jobs named shared-… only; nobody lets bob in."""
    holdfast.sh("groupadd", "ops")
    holdfast.sh("useradd", "--create-home", "--groups", "ops", "alice")
    holdfast.sh("useradd", "--create-home", "bob")
    RULES.write_text("""
polkit.addRule(function(action, subject) {
    var allowed = ["org.holdfast1.run-job", "org.holdfast1.read-config", "org.holdfast1.cancel-run"];
    if (allowed.indexOf(action.id) >= 0 && subject.isInGroup("ops") && /^shared-/.test(action.lookup("job")))
        return polkit.Result.YES;
});
""")
    holdfast.sh("systemctl", "restart", "polkit.service")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that fails shows the journal since its start."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and hasattr(item, "started"):
        report.sections.append(("journal", holdfast.sh("journalctl", "--no-pager", f"--since=@{item.started:.6f}").stdout))


def pytest_runtest_setup(item):
    item.started = time.time()


@pytest.fixture(autouse=True)
def clean_slate(request):
    """Around each test: no jobs, no remotes, no runs; afterwards no leftovers and no report of a sanitizer."""
    began = time.time()
    yield
    if request.node.get_closest_marker("no_daemon"):
        return
    holdfast.sh("systemctl", "reset-failed", "holdfast.service", check=False)
    holdfast.sh("systemctl", "start", "holdfast.service")
    end_all_runs()
    for name in holdfast.jobs():
        holdfast.remove_job(name)
    holdfast.RCLONE_CONFIG.unlink(missing_ok=True)
    wait_for_no_leftovers(began)
    faults.remove_stand_ins()


def end_all_runs():
    for run in holdfast.call(holdfast.ROOT, holdfast.MANAGER, "ListRuns", "(uua{sv})", 1000, 0, {}):
        if run["State"] not in holdfast.OVER:
            with contextlib.suppress(holdfast.BusError):  # it may end by itself meanwhile
                holdfast.Run(run["Id"]).cancel()
            holdfast.Run(run["Id"]).wait()


def wait_for_no_leftovers(began):
    repositories = [git.parent for git in DATA.glob("*/.git")]
    try:
        holdfast.eventually(lambda: not holdfast.leftovers(*repositories), 15)
    except AssertionError:
        pytest.fail("\n".join(holdfast.leftovers(*repositories)), pytrace=False)
    reports = [line for line in holdfast.journal(f"--since=@{began:.6f}").splitlines()
               if any(report in line for report in SANITIZER_REPORTS)]
    assert not reports


@pytest.fixture
def remote():
    """A fresh alias remote on local disk."""
    number = next(numbers)
    return holdfast.Remote(f"remote{number}", DATA / f"remote{number}")


@pytest.fixture
def repository():
    """A fresh git repository with a little history."""
    return holdfast.make_repository(DATA / f"repository{next(numbers)}")


@pytest.fixture
def job(remote, repository):
    """The name of a job that backs `repository` up to `remote`."""
    name = f"job-{next(numbers)}"
    holdfast.create_job(holdfast.flash_job(name, remote, repository))
    return name
