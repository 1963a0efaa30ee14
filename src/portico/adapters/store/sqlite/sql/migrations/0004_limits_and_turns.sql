-- A job in state -1 is parked: ready, but `parked_for` a slot that had no room. Of one priority the lowest `rank` goes
-- first; `partition_key` is kept while a queue's jobs take turns, '' for a job without one.
ALTER TABLE portico_job ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE portico_job ADD COLUMN partition_key TEXT;
ALTER TABLE portico_job ADD COLUMN parked_for INTEGER;
DROP INDEX portico_job_ready;
CREATE INDEX portico_job_ready ON portico_job (queue_name, priority DESC, rank, seq) WHERE state = 0;
CREATE INDEX portico_job_parked ON portico_job (queue_name, parked_for, priority DESC, rank, seq) WHERE state = -1;
CREATE INDEX portico_job_partition ON portico_job (queue_name, priority, partition_key, rank)
    WHERE partition_key IS NOT NULL AND state < 2;

CREATE TABLE portico_slot (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL
) STRICT;

-- one row for each run that counts: as long as it runs, or until a moment
CREATE TABLE portico_slot_hold (
    slot INTEGER NOT NULL,
    job_id BLOB NOT NULL,
    until INTEGER
) STRICT;
CREATE INDEX portico_slot_hold_slot ON portico_slot_hold (slot, until);
CREATE INDEX portico_slot_hold_run ON portico_slot_hold (job_id) WHERE until IS NULL;
CREATE INDEX portico_slot_hold_start ON portico_slot_hold (until) WHERE until IS NOT NULL;

-- each queue and slot that jobs are parked for, from one to the next by the index: the jobs themselves are not walked
CREATE VIEW portico_parked (queue_name, slot) AS
WITH RECURSIVE queue (name) AS (
    SELECT min(queue_name) FROM portico_job WHERE state = -1
    UNION ALL
    SELECT (SELECT min(queue_name) FROM portico_job WHERE state = -1 AND queue_name > queue.name)
    FROM queue WHERE queue.name IS NOT NULL
),
parked (queue_name, slot) AS (
    SELECT name, (SELECT min(parked_for) FROM portico_job WHERE state = -1 AND queue_name = queue.name)
    FROM queue WHERE name IS NOT NULL
    UNION ALL
    SELECT parked.queue_name, (
        SELECT min(job.parked_for) FROM portico_job AS job
        WHERE job.state = -1 AND job.queue_name = parked.queue_name AND job.parked_for > parked.slot
    )
    FROM parked WHERE parked.slot IS NOT NULL
)
SELECT queue_name, slot FROM parked WHERE slot IS NOT NULL;
