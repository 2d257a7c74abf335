"""Paths of which a part belongs to an ordinary user, who may exchange it: root follows nobody's link but root's."""
import json
import os
import pathlib
import subprocess
import tarfile
import threading
import time

import holdfast
import pytest

HOME = pathlib.Path("/home/alice")
DATA = pathlib.Path("/srv/tests")


@pytest.fixture
def mine():
    """Folders of alice's, and a secret of root's. They go with what is in them."""
    secret = DATA / "secret"
    secret.mkdir(parents=True)
    (secret / "password").write_text("hunter2")
    secret.chmod(0o700)
    folder = HOME / "folder"
    holdfast.sh("mkdir", folder, user="alice")
    (folder / "letter").write_text("dear")
    os.chown(folder / "letter", folder.stat().st_uid, -1)
    yield folder
    holdfast.sh("rm", "-rf", secret, folder, HOME / "link")


def link(target):
    holdfast.sh("ln", "-s", target, HOME / "link", user="alice")
    return HOME / "link"


def document(name, remote, source, **changes):
    return {"name": name, "remoteName": remote.name, "destinationPath": "copies", "sourcePath": str(source), "layout": "versions"} | changes


def problems(document):
    return holdfast.call(holdfast.ROOT, holdfast.MANAGER, "ValidateJob", "(sa{sv})", json.dumps(document), {})


def put_behind(folder, target):
    """What lies in `folder` lies behind a link of alice's from now on."""
    holdfast.sh("rm", "-rf", folder)
    holdfast.sh("ln", "-s", target, folder, user="alice")


def stored(remote):
    """All that lies at the remote, as one piece of bytes."""
    return b"".join((remote.folder / name).read_bytes() for name in remote.files())


def test_source_that_a_users_link_leads_to_is_not_copied(remote, mine):
    holdfast.create_job(document("plain", remote, mine))
    put_behind(mine, DATA / "secret")
    last = holdfast.start("plain").wait()
    assert last["Result"] == "failed" and "others than root can exchange" in last["Error"], last["Error"]
    assert b"hunter2" not in stored(remote)
    [problem] = problems(document("other", remote, mine))
    assert problem[0] == "/sourcePath" and "others than root can exchange" in problem[2]


def test_source_that_is_not_there_is_a_problem_of_the_job(remote):
    [problem] = problems(document("absent", remote, "/nosuch"))
    assert problem[:2] == ("/sourcePath", "no-such-source") and "There is no /nosuch to back up" in problem[2]
    [problem] = problems(holdfast.flash_job("absent", remote, "/nosuch"))
    assert problem[0] == "/preprocessConfig/flash/gitPath" and "/nosuch does not exist" in problem[2]


def test_repository_that_a_users_link_leads_to_is_neither_read_nor_written(remote, repository, mine):
    (mine / "site").mkdir()
    holdfast.git(mine / "site", "init", "--quiet")
    (mine / "site/page").write_text("page")
    holdfast.create_job(holdfast.flash_job("site", remote, mine / "site"))
    before = holdfast.git(repository, "rev-parse", "HEAD")
    (repository / "changed").write_text("not to be committed")
    put_behind(mine / "site", repository)
    last = holdfast.start("site").wait()
    assert last["Result"] == "failed" and "others than root can exchange" in last["Error"], last["Error"]
    assert holdfast.git(repository, "rev-parse", "HEAD") == before and remote.files() == []


def test_links_of_roots_are_followed_to_folders_and_files(remote, mine):
    (DATA / "link").symlink_to(mine)
    (DATA / "link-to-file").symlink_to(mine / "letter")
    try:
        for name in ("link", "link-to-file"):
            holdfast.create_job(document(name, remote, DATA / name))
            last = holdfast.start(name).completes()
            assert (remote.folder / last["OutputPath"].partition(":")[2] / "letter").read_text() == "dear"
    finally:
        (DATA / "link").unlink()
        (DATA / "link-to-file").unlink()


@pytest.mark.parametrize("options", [{}, {"links": True, "one-file-system": True}, {"copy-links": True}])
def test_held_folder_is_copied_as_by_its_name(remote, mine, options, tmp_path):
    (mine / "deep/er").mkdir(parents=True)
    (mine / "deep/er/file").write_text("x")
    (mine / "deep/link").symlink_to("er/file")
    holdfast.create_job(document("held", remote, mine, rcloneOptions=options))
    last = holdfast.start("held").completes()
    made = remote.folder / last["OutputPath"].partition(":")[2]
    kept = {"links": "link.rclonelink", "copy-links": "link"}
    there = {"letter", "deep", "deep/er", "deep/er/file"} | {f"deep/{name}" for option, name in kept.items() if option in options}
    assert {str(path.relative_to(made)) for path in made.rglob("*")} == there
    assert "/proc/self/fd" not in json.dumps([last, remote.manifests()]) and b"/proc/self" not in stored(remote)


def test_failure_names_the_path_that_people_know(remote, mine):
    (mine / "links").mkdir()
    (mine / "links/nowhere").symlink_to("absent")
    holdfast.create_job(document("dangling", remote, mine, rcloneOptions={"copy-links": True}))
    run = holdfast.start("dangling")
    last = run.wait()
    assert last["Result"] == "failed" and "rcloneOptions.exclude" in last["Error"], last["Error"]
    assert str(mine) in last["Error"] and "/proc/self/fd" not in last["Error"] + holdfast.journal(f"HOLDFAST_RUN={run.id}")
    holdfast.remove_job("dangling")
    holdfast.create_job(document("dangling", remote, mine, rcloneOptions={"copy-links": True, "exclude": ["/links/**"]}))
    holdfast.start("dangling").completes()


def test_cache_file_is_what_was_written_whatever_its_owner_puts_there(remote, repository, mine):
    cache = mine / "flash.tar"
    job = holdfast.flash_job("cached", remote, repository)
    job["preprocessConfig"]["flash"] |= {"streamDirect": False, "localCachePath": str(cache)}
    holdfast.create_job(job)
    over = threading.Event()

    def exchange():
        while not over.is_set():
            if cache.exists() and not cache.is_symlink():
                cache.unlink()
                cache.symlink_to(DATA / "secret/password")
            time.sleep(0.0002)

    owner = threading.Thread(target=exchange)
    owner.start()
    try:
        holdfast.start("cached").completes()
    finally:
        over.set()
        owner.join()
    [name] = remote.objects()
    with tarfile.open(remote.folder / name) as archive:
        assert ".git/HEAD" in archive.getnames()


def test_destination_in_the_source_is_seen_through_links_and_mounts(remote, mine):
    inside = DATA / "tree"
    (inside / "backups").mkdir(parents=True)
    (inside / "file").write_text("x")
    bound = DATA / "bound"
    bound.mkdir()
    (DATA / "way").symlink_to(inside)
    holdfast.sh("mount", "--bind", inside / "backups", bound)
    try:
        for number, (source, folder) in enumerate([(DATA / "way", inside / "backups"), (inside, DATA / "way/backups"), (inside, bound)]):
            there = holdfast.Remote(f"inside{number}", folder / f"remote{number}")
            holdfast.create_job(document(f"self{number}", there, source))
            last = holdfast.start(f"self{number}").wait()
            assert last["Result"] == "failed" and "lies in the source" in last["Error"], (source, folder, last["Error"])
            assert there.files() == []
    finally:
        holdfast.sh("umount", bound)
        (DATA / "way").unlink()
        holdfast.sh("rm", "-r", inside, bound)


def test_pipe_in_the_place_of_ignore_rules_does_not_hang_the_run(remote, repository):
    holdfast.create_job(holdfast.flash_job("piped", remote, repository, preprocessTimeout=2))
    (repository / "sub").mkdir()
    os.mkfifo(repository / "sub/.gitignore")
    last = holdfast.start("piped").wait(20)
    assert "sub/.gitignore is no regular file" in last["Error"], last["Error"]
    (repository / "sub/.gitignore").unlink()
    exclude = repository / ".git/info/exclude"
    exclude.unlink()
    os.mkfifo(exclude)   # libgit2 waits in open(2), where no thread of a program can be ended
    began = time.monotonic()
    last = holdfast.start("piped").wait(40)
    assert last["Result"] == "failed" and "took longer than preprocessTimeout" in last["Error"], last["Error"]
    assert time.monotonic() - began < 25
    exclude.unlink()
    holdfast.start("piped").completes()


def test_configurations_that_others_can_change_are_refused(remote, mine):
    holdfast.create_job(document("plain", remote, mine))
    alice = HOME.stat().st_uid
    os.chown(holdfast.RCLONE_CONFIG, alice, -1)
    last = holdfast.start("plain").wait()
    assert last["Result"] == "failed" and f"rclone.conf belongs to user {alice}" in last["Error"], last["Error"]
    os.chown(holdfast.RCLONE_CONFIG, 0, -1)
    holdfast.RCLONE_CONFIG.chmod(0o644)
    run, _ = holdfast.run_to_the_end("plain")
    assert "Others than root may read rclone's configuration" in holdfast.journal(f"HOLDFAST_RUN={run.id}")


def test_user_file_system_in_the_source_is_named(remote, mine):
    """sshfs and the like belong to the user who mounted them: root may not even look at the folder."""
    program = """
import ctypes, os, socket, struct, sys
fd = os.open('/dev/fuse', os.O_RDWR)
options = f'fd={fd},rootmode=40000,user_id={sys.argv[2]},group_id={sys.argv[2]}'
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b'own', sys.argv[1].encode(), b'fuse.own', 6, options.encode()):
    raise OSError(ctypes.get_errno(), 'mount')
print('mounted', flush=True)
sys.stdin.read()
"""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("needs /dev/fuse")
    place = mine / "remote-disk"
    place.mkdir()
    server = subprocess.Popen(["python3", "-c", program, place, str(HOME.stat().st_uid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert server.stdout.readline() == b"mounted\n"
        holdfast.create_job(document("mounted", remote, mine))
        last = holdfast.start("mounted").wait()
        assert last["Result"] == "failed" and f"{place} is a file system that a user has mounted" in last["Error"], last["Error"]
    finally:
        server.stdin.close()
        server.wait()
        holdfast.sh("umount", "--lazy", place)
