"""Restores into volumes on Docker: those tests of test_restore_volumes.py in which the engine makes a difference."""
from test_restore_volumes import (  # noqa: F401
    between, engine, real, spoiled,
    test_container_that_would_not_come_back_is_named,
    test_containers_stop_as_in_the_backup_and_start_in_the_opposite_order,
    test_everything_comes_back,
    test_one_volume_into_another,
    test_restore_that_is_cut_off_leaves_the_old_or_the_new,
)

ENGINE = "docker"
