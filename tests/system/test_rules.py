"""What polkit's rules can tell apart."""
import pathlib

import holdfast
import pytest
from holdfast import MANAGER, ROOT, call_as, sh

RULES = pathlib.Path("/etc/polkit-1/rules.d/40-holdfast-restores.rules")
DENIED = "org.freedesktop.DBus.Error.AccessDenied"
PROMPT = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
NO_BACKUP = "org.holdfast1.Error.NoSuchBackup"


@pytest.fixture
def careful():
    """alice may restore, but replace nothing, and take no engine but the system's."""
    RULES.write_text("""
polkit.addRule(function(action, subject) {
    if (action.id == "org.holdfast1.restore" && subject.user == "alice"
        && action.lookup("force") != "true" && !action.lookup("engineSocket") && !/secret/.test(action.lookup("paths")))
        return polkit.Result.YES;
});
""")
    sh("systemctl", "restart", "polkit.service")
    yield
    RULES.unlink()
    sh("systemctl", "restart", "polkit.service")


def restore(remote, target, options):
    return call_as("alice", ROOT, MANAGER, "Restore", remote.name, "backups", "'0123abcd'", f"'{target}'", options)[0]


def test_rules_see_what_a_restore_replaces_and_takes(remote, careful):
    assert restore(remote, "/srv/tests/restored", "{}") == NO_BACKUP
    assert restore(remote, "/srv/tests/restored", "{'force': <true>}") in (DENIED, PROMPT)
    assert restore(remote, "/srv/tests/restored", "{'paths': <['a', 'secret/b']>}") in (DENIED, PROMPT)
    assert restore(remote, "", "{'volumes': <['data']>}") == NO_BACKUP
    assert restore(remote, "", "{'volumes': <['data']>, 'engineSocket': <'/run/user/1000/docker.sock'>}") in (DENIED, PROMPT)


def test_who_may_restore_may_list_and_verify(remote, careful):
    assert call_as("alice", ROOT, MANAGER, "ListBackups", remote.name, "backups", "{}")[0] is None
    assert call_as("alice", ROOT, MANAGER, "Verify", remote.name, "backups", "'0123abcd'", "{}")[0] == NO_BACKUP
    assert call_as("bob", ROOT, MANAGER, "ListBackups", remote.name, "backups", "{}")[0] in (DENIED, PROMPT)
