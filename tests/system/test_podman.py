"""The docker source on Podman: all of test_docker.py."""
from test_docker import *  # noqa: F401,F403

ENGINE = "podman"
