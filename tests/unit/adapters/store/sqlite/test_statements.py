"""Statements from files, for batches of any length; and that no hot one walks a table."""

import re
import sqlite3
from pathlib import Path

import pytest

from portico.adapters.store.sqlite.schema import migrate
from portico.adapters.store.sqlite.statements import chunks, migrations, statement

WALKS_FEW_JOBS = {f"SCAN portico_job USING INDEX portico_job_{which}" for which in ("running", "abort")}


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 255, 256, 1000])
def test_a_batch_is_cut_into_pieces_of_few_sizes(length: int) -> None:
    pieces = list(chunks(range(length)))
    assert [number for piece in pieces for number in piece] == list(range(length))
    assert {len(piece) for piece in pieces} <= {1, 8, 32, 256}


def test_what_a_file_marks_is_there_once_for_each_row() -> None:
    assert statement("job_select_ids", 3).count("(?)") == 3


def plan(name: str, rows: int) -> list[str]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, Path("plan.db"), migrations())
    sql = re.sub(r"--.*", "", statement(name, rows))
    named = set(re.findall(r":(\w+)", sql))
    numbered = len(set(re.findall(r"\?\d", sql)))
    values = dict.fromkeys(named, 1) if named else [1] * (numbered or sql.count("?"))
    steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    connection.close()
    return steps


@pytest.mark.parametrize("rows", [1, 32, 256])
@pytest.mark.parametrize(
    "name",
    [
        "gone_select",
        "job_select_ids",
        "job_select",
        "job_delete",
        "job_claim_admitted",
        "job_complete",
        "key_select",
        "slot_free",
        "unique_select",
    ],
)
def test_a_batch_looks_its_rows_up_at_every_size(name: str, rows: int) -> None:
    walked = [step for step in plan(name, rows) if re.match(r"SCAN (portico_|job|held|live)", step)]
    assert walked == []


@pytest.mark.parametrize(
    "name",
    [
        "job_claim",
        "job_head",
        "job_park",
        "job_promote",
        "job_ended_before",
        "job_list_failed",
        "job_queues_with_ended",
        "job_request_abort",
        "job_abort_requests",
        "event_prune",
        "job_next_due",
        "job_select_expired",
        "job_select_of_session",
        "job_extend",
        "job_stats",
        "job_store_back",
        "job_unique_holder",
        "job_unpark",
        "gone_forget",
        "key_forget_expired",
        "slot_free_by_time",
        "slot_get",
        "slot_of_ready",
        "slot_parked",
        "slot_queues",
        "slot_room",
        "turn_last",
        "turn_now",
        "turns_are_taken",
    ],
)
def test_no_hot_statement_walks_more_than_the_running_jobs(name: str) -> None:
    walked = [step for step in plan(name, 1) if step.startswith("SCAN portico_") and step not in WALKS_FEW_JOBS]
    assert walked == []


@pytest.mark.parametrize(
    "name", ["job_claim", "job_head", "job_list_failed", "job_unpark", "slot_next_free", "turn_now"]
)
def test_jobs_are_found_in_their_order_without_sorting(name: str) -> None:
    assert not [step for step in plan(name, 1) if "TEMP B-TREE" in step]


def test_failures_are_listed_by_their_own_index() -> None:
    assert plan("job_list_failed", 1) == ["SEARCH portico_job USING INDEX portico_job_failed (status=? AND seq<?)"]
