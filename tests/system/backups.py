"""What tests do to backups that lie at a destination: list, restore and verify them, and damage them."""
import hashlib
import json
import os

import holdfast
from gi.repository import GLib


def variants(options):
    """{"force": ("b", True)} as the bus takes it."""
    return {name: GLib.Variant(kind, value) for name, (kind, value) in options.items()}


def listed(remote, path="backups", **options):
    return holdfast.call(holdfast.ROOT, holdfast.MANAGER, "ListBackups", "(ssa{sv})", remote.name, path, variants(options), timeout=90)


def restore(remote, backup, target, path="backups", **options):
    return holdfast.Run(*holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Restore", "(ssssa{sv})", remote.name, path, backup,
                                       str(target), variants(options), timeout=90))


def verify(remote, backup="", path="backups", **options):
    return holdfast.Run(*holdfast.call(holdfast.ROOT, holdfast.MANAGER, "Verify", "(sssa{sv})", remote.name, path, backup,
                                       variants(options), timeout=90))


def flip_a_bit(remote, name):
    with (remote.folder / name).open("r+b") as file:
        file.seek(os.path.getsize(file.name) // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


def truncate(remote, name):
    os.truncate(remote.folder / name, (remote.folder / name).stat().st_size // 2)


def lengthen(remote, name):
    with (remote.folder / name).open("ab") as file:
        file.write(bytes(512))


def replace_content(remote, name, content):
    """Another content, and a manifest that vouches for it: somebody who can write to the remote can do that."""
    (remote.folder / name).write_bytes(content)
    path = remote.folder / f"{name}.manifest.json"
    manifest = json.loads(path.read_text())
    true = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest["objects"][0] |= true
    manifest["stream"] |= true
    path.write_text(json.dumps(manifest))
