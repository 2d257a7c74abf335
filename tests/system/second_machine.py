"""What tests/second-machine does inside of its two containers: `make` the backups, `restore` them. They share nothing but the
folder /mnt/remote, in which lie the backups and, beside them, a listing of what was there."""
import contextlib
import json
import os
import pathlib
import shutil
import stat
import sys

import holdfast
import zpools
from engines import Engine
from test_docker import fill, listing

REMOTE = pathlib.Path("/mnt/remote")
TRUTH = REMOTE / "truth.json"
SOURCES = pathlib.Path("/srv/sources")
TARGETS = pathlib.Path("/srv/restored")
ENGINE = "podman"


def check(what, holds, otherwise=""):
    print(f"ok: {what}" if holds else f"FAILED: {what} {otherwise}", flush=True)


def ctl(*arguments):
    done = holdfast.sh("holdfastctl", *arguments, check=False, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    return done


def ctl_json(*arguments):
    return json.loads(holdfast.sh("holdfastctl", "--json", *arguments, timeout=120).stdout)


def configure_remote():
    """An alias for the folder that both machines see."""
    (REMOTE / "store").mkdir(exist_ok=True)
    holdfast.RCLONE_CONFIG.write_text(f"[store]\ntype = alias\nremote = {REMOTE}/store\n")
    holdfast.RCLONE_CONFIG.chmod(0o600)


def plain(entries, *left_out):
    """A listing as JSON has it. `left_out`: what this kind of backup does not keep."""
    text = json.dumps(entries, default=lambda value: value.hex())
    return {name: {key: value for key, value in entry.items() if key not in left_out} for name, entry in json.loads(text).items()}


@contextlib.contextmanager
def engine(folder):
    if not shutil.which(ENGINE):
        yield None
        return
    real = Engine(ENGINE)
    folder.mkdir(parents=True)
    real.set_up(folder)
    yield real
    real.tear_down()


@contextlib.contextmanager
def pools():
    if not zpools.KERNEL and not os.path.exists("/dev/fuse"):
        yield False
        return
    with zpools.two_pools():
        yield True


# What is kept of files that rclone copies, with their metadata, and of git's.
COPIED = ("same as", "holes")


def of_copy(root):
    """Files and symlinks: rclone copies no pipes, of folders no more than the names, no setuid and no ACLs."""
    entries = {name: entry for name, entry in plain(listing(root), *COPIED).items() if not stat.S_ISFIFO(entry["mode"])}
    for entry in entries.values():
        entry["mode"] &= ~0o6000
        entry["attributes"] = {key: value for key, value in entry["attributes"].items() if key.startswith("user.")}
        if stat.S_ISDIR(entry["mode"]):
            for lost in ("mode", "owner", "time", "attributes"):
                entry.pop(lost)
    return entries


# --- the first machine ----------------------------------------------------------------------------------------------------------

def back_up(name, document):
    """Creates the job, runs it; returns the run's id."""
    holdfast.create_job({"name": name, "remoteName": "store", "destinationPath": name} | document)
    return run(name)


def run(name):
    last = holdfast.start(name).wait(120)
    check(f"{name} is backed up", (last["State"], last["Error"]) == ("completed", ""), last)
    return last["Id"]


def tree(name):
    folder = SOURCES / name
    folder.mkdir(parents=True)
    fill(folder)
    return folder


def make():
    configure_remote()
    truth = {}
    repository = holdfast.make_repository(SOURCES / "flash")
    truth["flash"] = {"run": back_up("flash", {"preprocessType": "flash", "preprocessConfig": {"flash": {"gitPath": f"{repository}/.git"}}})}
    truth["flash"]["listing"] = plain(listing(repository / ".git"))

    options = {"rcloneOptions": {"links": True, "metadata": True}}
    for layout in ("versions", "mirror"):
        folder = tree(layout)
        truth[layout] = {"run": back_up(layout, {"sourcePath": str(folder), "layout": layout} | options), "listing": of_copy(folder)}

    script = pathlib.Path("/usr/local/bin/dump.sh")
    script.write_text("#!/bin/bash\nprintf 'of the script\\n' >$HOLDFAST_OUTPUT_DIR/dump\nmkdir $HOLDFAST_OUTPUT_DIR/sub\n"
                      "seq 100000 >$HOLDFAST_OUTPUT_DIR/sub/numbers\n")
    script.chmod(0o755)
    truth["script"] = {"run": back_up("script", {"preprocessType": "script", "preprocessConfig": {"script": {"scriptPath": str(script)}}}),
                       "files": {"dump": "of the script\n", "sub/numbers": "".join(f"{n}\n" for n in range(1, 100001))}}
    with engine(SOURCES / "image") as real:
        if real:
            truth["docker"] = containers(real)
    with pools() as there:
        if there:
            truth["zfs"] = datasets()
    TRUTH.write_text(json.dumps(truth))


def containers(real):
    volume = real.volume()
    fill(real.folder(volume))
    container = real.run("-v", f"{volume}:/data")
    entries = plain(listing(real.folder(volume)))
    config = {"containerName": container, "engineSocket": str(real.socket)}
    return {"run": back_up("docker", {"preprocessType": "docker", "preprocessConfig": {"docker": config}}),
            "volume": volume, "listing": entries}


def datasets():
    """A full backup and two increments."""
    dataset = zpools.Dataset()
    config = {"poolName": dataset.name, "snapshotName": "nightly", "incremental": {"enabled": True, "fullEvery": 30}}
    links = [{"run": back_up("zfs", {"preprocessType": "zfs", "preprocessConfig": {"zfs": config}}), "listing": plain(listing(dataset.folder))}]
    for number in range(2):
        (dataset.folder / f"later-{number}").write_bytes(os.urandom(100000))
        (dataset.folder / "text").write_text(f"changed {number}\n")
        links.append({"run": run("zfs"), "listing": plain(listing(dataset.folder))})
    return {"chain": links}


# --- the second machine ---------------------------------------------------------------------------------------------------------

def restore():
    truth = json.loads(TRUTH.read_text())
    TRUTH.unlink()   # what is compared with is no help to what restores
    configure_remote()
    TARGETS.mkdir()
    check("this machine knows nothing", holdfast.jobs() == {} and ctl_json("runs") == [])
    for name, of in truth.items():
        if name != "zfs":
            listed(name, [of["run"]])
    for name in ("flash", "versions", "mirror", "script"):
        to_folder(name, truth[name])
    with engine(SOURCES / "image") as real:
        if real and "docker" in truth:
            to_volume(real, truth["docker"])
    with pools() as there:
        if there and "zfs" in truth:
            to_datasets(truth["zfs"]["chain"])
    check("nothing is left", not holdfast.leftovers(), holdfast.leftovers())


def listed(name, runs):
    rows = ctl_json("backups", "--remote", "store", "--path", name)
    check(f"{name} is listed", [(row["run"], row["error"]) for row in rows] == [(run, "") for run in runs], rows)
    return {row["run"]: row for row in rows}


def brought_back(what, *arguments):
    done = ctl("restore", *arguments, "--follow")
    check(f"{what} is restored", done.returncode == 0, done.stdout + done.stderr)


def same(what, now, then):
    differ = sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))
    check(f"{what} is what it was", not differ, [(name, then.get(name), now.get(name)) for name in differ[:3]])


def whole_seconds(entries):
    return {name: entry | {"time": entry["time"] // 10**9} for name, entry in entries.items()}


def to_folder(name, of):
    target = TARGETS / name
    brought_back(name, of["run"], target, "--remote", "store", "--path", name)
    if name == "flash":
        same(name, whole_seconds(plain(listing(target / ".git"))), whole_seconds(of["listing"]))
    elif name == "script":
        same(name, {str(f.relative_to(target)): f.read_text() for f in target.rglob("*") if f.is_file()}, of["files"])
    else:
        if name == "mirror":   # of it, what its list names comes back: files
            of["listing"].pop("sub/empty")
        same(name, of_copy(target), of["listing"])


def to_volume(real, of):
    volume = real.volume()
    container = real.run("-v", f"{volume}:/data")
    brought_back("docker", of["run"], "--volume", f"{of['volume']}:{volume}", "--engine-socket", real.socket, "--remote", "store", "--path", "docker")
    same("docker", plain(listing(real.folder(volume))), of["listing"])
    check("the container runs again", real.runs(container))


def to_datasets(chain):
    runs = [link["run"] for link in chain]
    rows = listed("zfs", runs[::-1])
    found = [(rows[run]["depth"], rows[run]["fullRun"], rows[run].get("baseRun", "")) for run in runs]
    check("each increment hangs on the one before", found == [(0, runs[0], ""), (1, runs[0], runs[0]), (2, runs[0], runs[1])], found)
    for number, link in enumerate(chain):
        dataset = f"tank/restored{number}"
        brought_back(f"zfs, link {number}", link["run"], dataset, "--remote", "store", "--path", "zfs")
        zpools.zfs("mount", dataset)
        same(f"zfs, link {number}", plain(listing(zpools.POOLS / dataset)), link["listing"])


if __name__ == "__main__":
    {"make": make, "restore": restore}[sys.argv[1]]()
