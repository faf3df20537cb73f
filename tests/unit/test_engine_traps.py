"""Traps of the engine's ground, found by experiment, and the tests that fall into each."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.urs("M4.4")

TESTS = Path(__file__).parents[1]
TRAPS: dict[str, dict[str, tuple[str, ...]]] = {
    "a restore that stops before an open transaction gives old state with a later position": {
        "live/test_engine_workers.py": ("test_a_take_over_while_the_old_transaction_is_open",),
        "live/test_engine_restore.py": (
            "test_a_take_over_waits_for_the_former_owners_open_transaction",
        ),
        "live/test_engine_frozen_owner.py": (
            "test_what_a_frozen_owner_still_commits_is_in_the_next_owners_state",
        ),
    },
    "a transaction without positions is not checked by the group": {
        "live/test_engine_timers.py": (
            "test_a_worker_that_stood_still_in_a_firing_commits_nothing",
        ),
        "live/test_engine_broker.py": (
            "test_an_aborted_transaction_is_invisible_and_the_next_one_works",
        ),
    },
    "two inputs of one store have two writers": {
        "live/test_engine_refusals.py": ("test_a_store_with_two_inputs_is_refused",),
        "unit/test_engine_state.py": ("test_a_store_with_two_inputs_is_refused",),
    },
    "a partition moves inside of the calls that give its records": {
        "live/test_engine_rebalance.py": (
            "test_no_record_in_hand_is_of_a_partition_that_has_moved",
        ),
    },
    "a commit without an answer may have happened": {
        "live/test_engine_broker.py": (
            "test_a_broker_that_is_killed_and_comes_back_loses_nothing",
            "test_what_a_lost_transaction_touched_is_ended_in_compacted_topics_too",
        ),
        "live/test_engine_crashes.py": (
            "test_death_between_commit_and_write_is_made_good_from_the_changelog",
        ),
    },
    "a former member's positions are refused, which is normal; a fenced one must end": {
        "live/test_engine_workers.py": (
            "test_a_zombie_that_wakes_up_commits_nothing",
            "test_the_same_instance_twice_ends_the_older_one",
        ),
        "live/test_engine_rebalance.py": ("test_workers_join_and_leave_in_the_middle_of_work",),
    },
    "dedupe by position drops the replay of a dead letter": {
        "live/test_engine_poison.py": (
            "test_a_blocked_key_waits_and_a_replay_gives_the_result_in_order",
        ),
        "live/test_engine_parking.py": (
            "test_a_stage_without_dedupe_keeps_holes_that_a_replay_fills_once",
        ),
    },
    "the broker refuses a record later, and does not say which": {
        "live/test_engine_poison.py": (
            "test_an_output_that_only_the_broker_refuses_costs_its_record_not_the_cycle",
        ),
        "unit/test_engine_letters.py": (
            "test_a_dead_letter_that_its_topic_cannot_take_is_a_named_stop",
        ),
    },
    "a bounded cache gives the value from before the cycle": {
        "unit/test_engine_state.py": (
            "test_a_table_reads_what_was_written_whatever_the_cache_dropped",
        ),
    },
    "a disk that is too old misses deletions": {
        "live/test_engine_restore.py": (
            "test_a_disk_older_than_deletions_are_kept_is_not_trusted",
            "test_a_disk_of_another_topic_of_the_same_name_is_not_trusted",
        ),
        "unit/test_engine_restore.py": (
            "test_a_disk_that_may_miss_deletions_is_restored_from_the_beginning",
        ),
    },
    "a fuse in memory is forgotten by a restart": {
        "live/test_engine_poison.py": (
            "test_the_fuse_trips_survives_a_restart_and_is_reset_by_a_person",
        ),
    },
    "a client that starts anew by itself skips what retention removed": {
        "live/test_engine_workers.py": (
            "test_records_that_retention_removed_are_a_named_stop",
            "test_lost_positions_beside_kept_state_are_a_named_stop",
        ),
    },
    "topics written in transactions end in markers that nobody reads": {
        "unit/test_engine_watch.py": ("test_markers_at_the_end_are_found_out_once",),
        "unit/test_engine_restore.py": ("test_markers_at_the_end_count_and_are_noted",),
    },
    "no thread of Python's runs while C code holds the interpreter": {
        "unit/test_engine_supervisor.py": ("test_a_hang_in_c_code_is_dumped_and_ended",),
        "live/test_engine_watchdog.py": ("test_a_rule_that_hangs_is_named_and_its_record_found",),
    },
    "another source's open transaction hides the newest position of this one": {
        "live/test_source_positions.py": (
            "test_an_open_transaction_of_another_source_hides_no_position",
            "test_whose_partition_is_shared_by_mistake_neither_reads_an_old_position_nor_goes_on",
        ),
    },
}


@pytest.mark.parametrize("trap", TRAPS)
def test_each_trap_has_its_tests(trap: str) -> None:
    for file, names in TRAPS[trap].items():
        tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
        there = {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
        assert set(names) <= there, f"{file} lost {set(names) - there}"
