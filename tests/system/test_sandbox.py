"""The container itself: what the other tests rely on."""
import os
import pathlib
import socket
import time

import pytest

from holdfast import sh, unit

pytestmark = pytest.mark.no_daemon

HOG = "b = bytearray(200 << 20); b[::4096] = bytes(len(b[::4096])); print('has 200 MiB')"


def as_service(*argv, **properties):
    return sh("systemd-run", "--quiet", "--wait", "--pipe", *(f"--property={k}={v}" for k, v in properties.items()), *argv,
              check=False)


def test_systemd_is_up_and_nothing_has_failed():
    assert pathlib.Path("/proc/1/comm").read_text() == "systemd\n"
    assert sh("systemctl", "is-system-running", check=False).stdout == "running\n"


def test_services_of_the_machine_are_not_started():
    ours = {"dbus.service", "polkit.service", "holdfast.service"}
    running = sh("systemctl", "list-units", "--type=service", "--state=running", "--plain", "--no-legend").stdout
    others = {line.split()[0] for line in running.splitlines()} - ours
    assert all(name.startswith("systemd-") for name in others), others


def test_memory_limit_kills():
    assert "has 200 MiB" in as_service("python3", "-c", HOG, MemoryMax="400M").stdout
    hog = as_service("python3", "-c", HOG, MemoryMax="50M")
    assert hog.returncode != 0 and "has 200 MiB" not in hog.stdout


def test_task_limit_refuses_to_fork():
    forks = "import os, time\nfor _ in range(9):\n  if os.fork() == 0: time.sleep(1); os._exit(0)\nprint('forked')"
    assert "forked" in as_service("python3", "-c", forks).stdout
    assert "BlockingIOError" in as_service("python3", "-c", forks, TasksMax="4").stderr


def test_cpu_quota_slows():
    busy = "import time\nt = time.monotonic()\nwhile time.monotonic() - t < 2: pass\nprint(time.process_time())"
    assert float(as_service("python3", "-c", busy, CPUQuota="20%").stdout) < 0.8


def test_network_is_private():
    assert os.listdir("/sys/class/net") == ["lo"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


def test_project_is_read_only():
    with pytest.raises(OSError, match="Read-only"):
        (pathlib.Path(__file__).parent / "x").write_text("")


def test_users_come_through_polkit():
    check = "pkcheck", "-a", "org.freedesktop.systemd1.manage-units", "-p", str(os.getpid())
    assert sh(*check, check=False).returncode == 0
    denied = sh("systemctl", "--no-ask-password", "restart", "dbus.socket", user="bob", check=False)
    assert denied.returncode != 0


def test_runtime_limit_ends_a_service():
    began = time.monotonic()
    assert as_service("sleep", "30", RuntimeMaxSec="1").returncode != 0
    assert time.monotonic() - began < 10


def test_sanitizers_are_set_up_for_services():
    assert "detect_leaks=0" in as_service("printenv", "ASAN_OPTIONS").stdout
    assert unit("holdfast.service", "LoadState")["LoadState"] == "loaded"
