"""The docker source on Podman: those tests of test_docker.py in which the engine makes a difference."""
from test_docker import (  # noqa: F401
    between, engine, pair, real,
    test_container_that_cannot_start_again_is_named_and_keeps_no_other_down,
    test_container_that_does_not_run_is_not_started,
    test_container_that_ignores_the_signal_is_killed_and_that_is_said,
    test_container_that_is_removed_meanwhile,
    test_container_that_is_still_stopping_when_the_run_is_cut_off_runs_again,
    test_container_with_a_restart_policy,
    test_containers_stop_in_order_and_start_in_the_opposite_one,
    test_engine_that_has_stopped_since_is_named,
    test_engine_that_is_killed_while_it_stops_a_container,
    test_engine_that_is_killed_while_the_volumes_are_read,
    test_paused_container_stays_paused,
    test_what_is_not_there_is_refused_when_the_job_is_made,
    test_what_is_unpacked_is_what_was_there,
    test_whatever_writes_to_a_volume_is_stopped_and_what_only_reads_is_not,
    test_worker_that_is_killed_leaves_no_container_stopped,
)

ENGINE = "podman"
