"""What README and docs/ tell people to type is what works, to the letter."""
import json
import pathlib
import re
import shutil

import holdfast
import pytest

TREE = pathlib.Path(__file__).resolve().parents[2]
PAGES = [TREE / "README.md", *sorted((TREE / "docs").glob("*.md"))]
VAULT, BOOT, RESTORED = pathlib.Path("/srv/vault"), pathlib.Path("/boot"), pathlib.Path("/srv/restored")


def blocks(text):
    return re.findall(r"^ *```[a-z]*\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)


def section(page, title):
    return (TREE / page).read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def typed(commands):
    """Runs lines as somebody who copies them into a root shell does."""
    return holdfast.sh("bash", "-euxc", commands, timeout=120)


@pytest.fixture
def machine():
    """As README's reader has it: files in /boot, and nothing of Holdfast's there."""
    (BOOT / "config.txt").write_text("kept\n")
    yield
    for path in (VAULT, RESTORED, BOOT / ".git"):
        shutil.rmtree(path, ignore_errors=True)
    (BOOT / "config.txt").unlink()


def test_the_first_job_of_the_readme_works_to_the_letter(machine):
    for commands in blocks(section("README.md", "A first job")):
        typed(commands)
    assert holdfast.git(RESTORED, "show", "HEAD:config.txt") == "kept"
    assert "flash" in holdfast.sh("holdfastctl", "status").stdout


def test_every_command_line_in_the_docs_is_one():
    """There is nothing here that they could be about; but none is refused for how it is put."""
    lines = {line.split(" #")[0] for page in PAGES for block in blocks(page.read_text()) for line in block.splitlines()
             if line.startswith("holdfastctl ") and "[--json]" not in line}
    assert len(lines) > 20
    for line in lines:
        done = holdfast.sh("bash", "-c", re.split(r"[|>]|&&", line)[0], check=False)
        assert done.returncode != 2, (line, done.stderr)


MACHINE_IS_LOST = """
systemctl stop holdfast.service
rm --force /etc/holdfast/jobs/*.json /var/lib/holdfast/history.db*
systemctl start holdfast.service
"""


def test_what_the_docs_say_of_a_lost_machine_works_to_the_letter(machine, remote):
    folder = pathlib.Path("/srv/documents")
    folder.mkdir()
    (folder / "letter").write_text("kept\n")
    VAULT.mkdir()
    holdfast.sh("rclone", "--config", holdfast.RCLONE_CONFIG, "config", "create", "vault", "alias", "remote", VAULT)
    job = {"name": "documents", "remoteName": "vault", "destinationPath": "backups/documents", "sourcePath": str(folder),
           "schedule": "daily"}
    holdfast.create_job(job)
    run, _ = holdfast.run_to_the_end("documents")
    typed(MACHINE_IS_LOST)
    shutil.rmtree(folder)
    holdfast.RCLONE_CONFIG.unlink()
    try:
        for commands in blocks(section("docs/lost-machine.md", "On the new machine")):
            typed(commands.replace("1f0c93ab", run.id[:8]))
        assert (folder / "letter").read_text() == "kept\n"
        assert json.loads(holdfast.sh("holdfastctl", "job", "show", "documents", "--config").stdout) == job
    finally:
        shutil.rmtree(folder, ignore_errors=True)
