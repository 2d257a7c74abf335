"""Names that rclone cannot tell apart or carry, and files that do not lie still: refused by name, or backed up right."""
import os
import pathlib
import subprocess
import unicodedata

import backups
import holdfast
from test_plain import SOURCE, plain_job, same, tree  # noqa: F401


def back(remote, run, target):
    backups.restore(remote, run["Id"], target, path="copies").completes()
    return same(SOURCE, target)


def test_two_spellings_of_one_name_are_two_files(remote, tree, tmp_path):  # noqa: F811
    for form in ("NFC", "NFD"):
        (tree / unicodedata.normalize(form, "café")).write_text(form)
    for layout in ("mirror", "versions"):
        last = holdfast.start(plain_job(f"spelled-{layout}", remote, layout=layout, destinationPath=f"copies/{layout}")).completes()
        backups.restore(remote, last["Id"], tmp_path / layout, path=f"copies/{layout}").completes()
        assert same(tree, tmp_path / layout)


def test_quotation_mark_that_rclone_doubles(remote, tree, tmp_path):  # noqa: F811
    (tree / "a\u201bb").write_text("one")
    last = holdfast.start(plain_job("quoted", remote, layout="versions")).wait()
    assert last["Result"] == "failed" and "a\u201b\u201bb cannot be backed up" in last["Error"]
    (tree / "a\u201b\u201bb").write_text("two")
    last = holdfast.start("quoted").wait()
    assert last["Result"] == "failed" and "a\u201b\u201bb would be left out" in last["Error"]
    assert remote.files() == []
    (tree / "a\u201bb").unlink()
    assert back(remote, holdfast.start("quoted").completes(), tmp_path / "back")


def test_name_that_is_not_utf8_is_refused_in_a_mirror_only(remote, tree, tmp_path):  # noqa: F811
    job = plain_job("latin", remote)
    holdfast.start(job).completes()
    before = remote.files()
    pathlib.Path(os.fsdecode(os.fsencode(tree) + b"/K\xf6ln.txt")).write_text("Latin-1")
    last = holdfast.start(job).wait()
    assert last["Result"] == "failed" and "ln.txt cannot be backed up: its name is not UTF-8" in last["Error"]
    assert remote.files() == before
    version = holdfast.start(plain_job("latin-version", remote, layout="versions")).completes()
    assert back(remote, version, tmp_path / "back")


def test_file_named_like_a_mirrors_manifest_is_refused(remote, tree):  # noqa: F811
    (tree / "own.mirror.manifest.json").write_text("{}")
    last = holdfast.start(plain_job("own", remote)).wait()
    assert last["Result"] == "failed" and "own.mirror.manifest.json cannot be backed up" in last["Error"]
    assert remote.files() == []
    holdfast.start(plain_job("left-out", remote, rcloneOptions={"exclude": ["/*.mirror.manifest.json"]})).completes()


def test_file_that_grows_meanwhile_is_taken_as_far_as_it_went(remote, tree):  # noqa: F811
    (tree / "growing.log").write_bytes(bytes(32 << 20))
    job = plain_job("growing", remote, layout="versions", limits={"bandwidth": "16M"})
    writer = subprocess.Popen(["sh", "-c", 'while :; do echo line >>"$0"; sleep 0.05; done', str(tree / "growing.log")])
    try:
        run = holdfast.start(job)
        last = run.completes()
    finally:
        writer.kill()
        writer.wait()
    assert last["Attempt"] == 2 and last["Metadata"]["filesChanged"] == 1
    [(name, manifest)] = remote.manifests().items()
    assert manifest["copy"]["changed"] == ["growing.log"]
    assert "growing.log" in holdfast.journal(f"HOLDFAST_RUN={run.id}")
    copied = (remote.folder / name / "growing.log").read_bytes()
    assert len(copied) >= 32 << 20 and (tree / "growing.log").read_bytes().startswith(copied)
    backups.verify(remote, run.id, path="copies", deep=("b", True)).completes()
