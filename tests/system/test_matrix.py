"""The fault matrix (matrix.py): in every cell the run ends as it may, with a whole backup or with none, and leaves nothing behind.
By default so many cells that every pair of source, phase and fault is met; --matrix=all for all of them, --matrix=zfs for those of a
source (tests/run matrix)."""
import itertools
import json
import os
import shutil

import holdfast
import matrix
import pytest

SETTINGS = holdfast.CONFIG / "holdfast.json"
MISSING = {"zfs": not os.path.exists("/dev/zfs") and not os.path.exists("/dev/fuse"), "docker": not shutil.which("docker")}


def pytest_generate_tests(metafunc):
    if "cell" in metafunc.fixturenames:
        cells = matrix.cells(metafunc.config.getoption("--matrix"))
        metafunc.parametrize("source, cell", [(cell.source, cell) for cell in cells], indirect=["source"],
                             ids=["-".join(filter(None, cell)).replace(" ", "-") for cell in cells])


def reload():
    holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Reload", "(a{sv})", {})


@pytest.fixture
def settings(cell):
    SETTINGS.write_text(json.dumps(matrix.settings(cell)))
    reload()
    yield
    SETTINGS.unlink()
    reload()


@pytest.fixture(scope="module")
def source(request):
    if MISSING.get(request.param):
        pytest.skip(f"what the source {request.param} needs is not installed here")
    source = matrix.SOURCES[request.param]()
    yield source
    source.close()


def test_fault(source, cell, settings):
    with matrix.destination(cell) as remote, matrix.held(source, cell.phase, remote) as hold:
        with matrix.started(matrix.job(source, cell, remote), hold) as run:
            def reached():
                assert run["State"] not in holdfast.OVER, run.all()
                return hold.reached(run)
            holdfast.eventually(reached, what=f"the run is {cell.phase}")
            matrix.strike(run, source, cell, remote, hold.let_go)
            matrix.repair(run, cell, remote)
            last = run.wait(150)
        try:
            holdfast.eventually(lambda: not matrix.leftovers(source, remote), 20)
        except AssertionError:
            pass
        left = matrix.leftovers(source, remote)
        matrix.rows.append(matrix.Row(cell, last["Result"], sum(left.values())))
        assert not left, last
        assert last["Result"] in matrix.results(cell), last
        remarks = last["Error"].split(" Not cleaned up yet: ")[1:]
        assert len(remarks) == len(set(remarks)), "each cleanup says anew what is left, and says it once"
        assert matrix.is_whole(remote) if last["State"] == "completed" else remote.files() == []


def test_cells_are_generated_by_rule():
    everything, some = matrix.cells("all"), matrix.cells("some")
    assert sorted(everything) == sorted(cell for source in matrix.SOURCES for cell in matrix.cells(source))
    assert len(everything) > 100 and len(some) < len(everything) / 2 and set(some) < set(everything)
    for name in ("source", "phase", "fault", "reload"):
        assert {getattr(cell, name) for cell in some} == {getattr(cell, name) for cell in everything}
    for cells in (everything, some):
        assert {(cell.fault, cell.reload) for cell in cells} == set(itertools.product(matrix.FAULTS, ("", "reload")))
