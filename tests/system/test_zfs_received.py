"""What was restored is mounted and shared by nobody but who asks for it, whatever its stream says: not by the next boot, which mounts all
that is to be mounted, and not while a drill looks at it."""
import shutil

import backups
import faults
import holdfast
import pytest
import zpools
from test_drill import drill
from zpools import POOLS, Dataset, dataset, destroy, needed, pools, same_files, zfs, zfs_job  # noqa: F401

pytestmark = needed

LIVE = holdfast.pathlib.Path("/srv/tests/live")
TARGET = "copy/restored"


@pytest.fixture
def site():
    """A dataset, and one below it that is mounted where it says itself."""
    site = Dataset()
    zfs("create", "-o", f"mountpoint={LIVE}", f"{site.name}/www")
    (LIVE / "page").write_text("live")
    yield site
    destroy(site.name)
    for folder in LIVE.parent.glob("live*"):
        shutil.rmtree(folder)
    if holdfast.sh("zfs", "list", TARGET, check=False).returncode == 0:
        destroy(TARGET)


def listed(name):
    """By the name of each file system at or below `name`: the property's value, and where it comes from."""
    names = zfs("list", "-H", "-r", "-t", "filesystem", "-o", "name", name).splitlines()
    return {one: {property: (value, source) for property, value, source in (
        line.split("\t") for line in zfs("get", "-H", "-p", "-o", "property,value,source", "canmount,mountpoint,sharenfs,sharesmb",
                                         one).splitlines())} for one in names}


def is_quiet(name, *below):
    found = listed(name)
    assert set(found) == {name, *(f"{name}/{one}" for one in below)}
    for one, properties in found.items():
        assert properties["canmount"][0] == "noauto", found
        assert properties["mountpoint"][0] == str(POOLS / one) and properties["mountpoint"][1] != "received", found
        assert properties["sharenfs"][0] == properties["sharesmb"][0] == "off", found
    return True


def mounted_at(folder):
    return [line.split()[0] for line in open("/proc/self/mounts") if line.split()[1] == str(folder)]


def boots(site):
    """What a boot does. The live dataset is at its place afterwards."""
    zfs("unmount", f"{site.name}/www")
    # zfs-fuse keeps what was unmounted busy for a moment.
    holdfast.eventually(lambda: holdfast.sh("zfs", "mount", "-a", check=False).returncode == 0, 10, "all is mounted")
    assert (LIVE / "page").read_text() == "live" and len(mounted_at(LIVE)) == 1
    return True


def test_copy_does_not_take_the_place_of_the_live_dataset(remote, site):
    run = holdfast.start(zfs_job(remote, site, {"recursive": True}))
    run.completes()
    last = backups.restore(remote, run.id, TARGET).completes()
    assert is_quiet(TARGET, "www") and boots(site)
    (LIVE / "page").write_text("changed")
    message = last["Metadata"]["message"]
    assert f'"zfs mount {TARGET}"' in message and f'"zfs set canmount=on {TARGET}"' in message and "1 file systems below" in message
    zfs("mount", TARGET)
    assert same_files(site.folder, POOLS / TARGET)
    zfs("mount", f"{TARGET}/www")
    assert (POOLS / TARGET / "www/page").read_text() == "live"


def test_increments_bring_nothing_of_the_kind_either(remote, site):
    job = zfs_job(remote, site, {"recursive": True, "incremental": {"enabled": True}})
    holdfast.start(job).completes()
    zfs("create", "-o", f"mountpoint={LIVE}-late", f"{site.name}/late")
    for share in ("sharenfs", "sharesmb"):
        holdfast.sh("zfs", "set", f"{share}=on", f"{site.name}/late", check=False)   # without a server, it is set and not shared
        assert zfs("get", "-H", "-o", "value", share, f"{site.name}/late") == "on"
    zfs("set", "canmount=on", f"{site.name}/www")
    try:
        run = holdfast.start(job)
        run.completes()
        backups.restore(remote, run.id, TARGET).completes()
        assert is_quiet(TARGET, "www", "late")
    finally:
        (holdfast.STATE / f"bases/{job}.json").unlink()
        for share in ("sharenfs", "sharesmb"):
            holdfast.sh("zfs", "set", f"{share}=off", f"{site.name}/late", check=False)


def test_all_is_mounted_while_a_drill_looks(remote, site):
    job = zfs_job(remote, site, {"recursive": True})
    holdfast.start(job).completes()
    before = zfs("list", "-H", "-o", "name", "-t", "all")
    with zpools.zfs_held("get -H -p -o value guid tank/holdfast-drill"):
        run = drill(job)
        holdfast.eventually(lambda: "tank/holdfast-drill.holdfast-" + run.id in zfs("list", "-H", "-o", "name"), 30, "it is there")
        holdfast.eventually(lambda: zfs("get", "-H", "-o", "value", "canmount", f"tank/holdfast-drill.holdfast-{run.id}") == "noauto", 30)
        assert boots(site)
        faults.let_go()
        assert run.wait()["Result"] == "done"
    assert zfs("list", "-H", "-o", "name", "-t", "all") == before


def test_what_is_below_the_target_goes_aside_with_it(remote, dataset):
    run = holdfast.start(zfs_job(remote, dataset))
    run.completes()
    zfs("create", TARGET)
    zfs("create", f"{TARGET}/below")
    try:
        zfs("unmount", TARGET)
        zfs("mount", f"{TARGET}/below")
        last = backups.restore(remote, run.id, TARGET, force=("b", True)).wait()
        assert last["State"] == "failed" and f"{TARGET}/below is mounted" in last["Error"], last
        zfs("unmount", f"{TARGET}/below")
        last = backups.restore(remote, run.id, TARGET, force=("b", True)).completes()
        aside = last["Metadata"]["setAside"]
        assert zfs("list", "-H", "-o", "name", f"{aside}/below") and f"{aside} now, and with it the 1 file systems" in last["Metadata"]["message"]
        destroy(aside)
    finally:
        destroy(TARGET)
