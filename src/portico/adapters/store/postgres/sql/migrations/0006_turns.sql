-- Turns: among jobs of one priority, claims go by `rank`, which is stamped at insertion, then by `seq`. Where no waiting
-- job of a queue has a partition_key every rank is 0.
ALTER TABLE {schema}.live_job ADD COLUMN partition_key text COLLATE "C", ADD COLUMN rank bigint NOT NULL DEFAULT 0;
ALTER TABLE {schema}.ended_job ADD COLUMN partition_key text COLLATE "C";
DROP INDEX {schema}.live_job_ready;
CREATE INDEX live_job_ready ON {schema}.live_job (queue_name, priority DESC, rank, seq) WHERE state = 0;
CREATE INDEX live_job_turns ON {schema}.live_job (queue_name, priority, coalesce(partition_key, ''), rank)
    WHERE state <> 2 AND (partition_key IS NOT NULL OR rank > 0);

-- The turn of a partition's next job, if the queue takes turns at all; those without a partition_key are one partition.
CREATE FUNCTION {schema}.next_rank(queue text, level bigint, partition text, takes_turns boolean)
RETURNS bigint LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $body$
DECLARE
    own bigint;
BEGIN
    IF NOT takes_turns AND NOT EXISTS (
        SELECT FROM {schema}.live_job
        WHERE queue_name = queue AND state <> 2 AND (partition_key IS NOT NULL OR rank > 0)
    ) THEN
        RETURN NULL;
    END IF;
    SELECT max(rank) + 1 INTO own FROM {schema}.live_job
    WHERE queue_name = queue AND priority = level AND coalesce(partition_key, '') = coalesce(partition, '')
        AND state <> 2 AND (partition_key IS NOT NULL OR rank > 0);
    -- those without a partition_key that came before the queue took turns
    IF own IS NULL AND partition IS NULL AND EXISTS (
        SELECT FROM {schema}.live_job
        WHERE queue_name = queue AND priority = level AND state = 0 AND rank = 0 AND partition_key IS NULL
    ) THEN
        own := 1;
    END IF;
    RETURN greatest(own, 0, (
        SELECT min(rank) FROM {schema}.live_job WHERE queue_name = queue AND priority = level AND state = 0
    ));
END
$body$;

-- The ranks of jobs that come together, in their order; what is the same for all jobs may be given once.
CREATE FUNCTION {schema}.ranks(ids uuid[], queue_names text[], priorities bigint[], partition_keys text[])
RETURNS bigint[] LANGUAGE sql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
WITH asked AS (
    SELECT coalesce(given.queue_name, queue_names[1]) AS queue_name, coalesce(given.priority, priorities[1]) AS priority,
        given.partition_key, given.place
    FROM unnest(ids, queue_names, priorities, partition_keys)
    WITH ORDINALITY AS given (id, queue_name, priority, partition_key, place)
), counted AS (
    SELECT *, row_number() OVER (PARTITION BY queue_name, priority, partition_key ORDER BY place) AS nth,
        bool_or(partition_key IS NOT NULL) OVER (PARTITION BY queue_name) AS takes_turns
    FROM asked
), begun AS (
    SELECT place, nth, max(
        CASE WHEN nth = 1 THEN {schema}.next_rank(queue_name, priority, partition_key, takes_turns) END
    ) OVER (PARTITION BY queue_name, priority, partition_key) AS first_rank
    FROM counted
)
SELECT array_agg(coalesce(first_rank + nth - 1, 0) ORDER BY place) FROM begun
$body$;

-- Workers that were running before this may go on: what they call is still there.
DROP FUNCTION {schema}.enqueue(
    uuid[], text[], text[], bigint[], bigint[], timestamptz[], timestamptz[], uuid[], text[], text[], text[], text[],
    timestamptz, interval, text
);

-- Returns the ids of the jobs that were not stored because their id or one of their keys is taken. Within one call no
-- id and no key may come twice. What is the same for all jobs, or NULL, may be given once.
CREATE FUNCTION {schema}.enqueue(
    ids uuid[], queue_names text[], job_types text[], priorities bigint[], retries bigint[], schedules timestamptz[],
    creations timestamptz[], creators uuid[], unique_keys text[], idempotency_keys text[], payloads text[],
    metadatas text[], moment timestamptz, held_for interval, mode text, partition_keys text[] DEFAULT NULL
) RETURNS SETOF uuid LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
DECLARE
    won uuid[];
    stored uuid[];
    known uuid[];
    refused uuid[];
    ranks bigint[];
BEGIN
    PERFORM {schema}.commit_durably(mode);
    moment := coalesce(moment, now());
    IF idempotency_keys IS NOT NULL THEN
        -- in the order of the keys, so that two callers wait for each other in one direction only
        WITH held AS (
            INSERT INTO {schema}.job_key AS held (queue_name, key, job_id)
            SELECT coalesce(asked.queue_name, queue_names[1]), asked.key, asked.id
            FROM unnest(queue_names, idempotency_keys, ids) AS asked (queue_name, key, id)
            WHERE asked.key IS NOT NULL
            ORDER BY coalesce(asked.queue_name, queue_names[1]) COLLATE "C", asked.key COLLATE "C"
            ON CONFLICT (queue_name, key) DO UPDATE SET job_id = excluded.job_id, status = NULL, expires_at = NULL
            WHERE held.expires_at <= moment OR EXISTS (
                SELECT FROM {schema}.ended_job AS ended
                WHERE ended.id = held.job_id AND ended.ended_at + held_for <= moment
            )
            RETURNING held.job_id
        )
        SELECT array_agg(held.job_id) INTO won FROM held;
    END IF;
    IF partition_keys IS NOT NULL OR EXISTS (
        SELECT FROM {schema}.live_job
        WHERE queue_name = ANY (queue_names) AND state <> 2 AND (partition_key IS NOT NULL OR rank > 0)
    ) THEN
        ranks := {schema}.ranks(ids, queue_names, priorities, partition_keys);
    END IF;
    WITH asked AS MATERIALIZED (
        SELECT nextval('{schema}.job_seq') AS seq, given.*
        FROM unnest(
            ids, queue_names, job_types, priorities, retries, schedules, creations, creators, unique_keys,
            idempotency_keys, payloads, metadatas, partition_keys, ranks
        ) AS given (
            id, queue_name, job_type, priority, max_retries, scheduled_at, created_at, created_by, unique_key,
            idempotency_key, payload, metadata, partition_key, rank
        )
    ), inserted AS (
        INSERT INTO {schema}.live_job (
            seq, id, queue_name, job_type, priority, max_retries, scheduled_at, created_at, created_by, unique_key,
            idempotency_key, payload, metadata, partition_key, rank, state, run_at
        )
        SELECT asked.seq, asked.id, coalesce(asked.queue_name, queue_names[1]),
            coalesce(asked.job_type, job_types[1]), coalesce(asked.priority, priorities[1]),
            coalesce(asked.max_retries, retries[1]), asked.scheduled_at, coalesce(asked.created_at, creations[1]),
            asked.created_by, asked.unique_key, asked.idempotency_key, coalesce(asked.payload, payloads[1])::json,
            coalesce(asked.metadata, metadatas[1])::json, asked.partition_key, coalesce(asked.rank, 0),
            CASE WHEN asked.scheduled_at > moment THEN 1 ELSE 0 END, coalesce(asked.scheduled_at, moment)
        FROM asked
        WHERE asked.idempotency_key IS NULL OR EXISTS (
            SELECT FROM {schema}.job_key AS held
            WHERE held.queue_name = coalesce(asked.queue_name, queue_names[1]) COLLATE "C"
                AND held.key = asked.idempotency_key COLLATE "C" AND held.job_id = asked.id
        )
        ORDER BY asked.unique_key COLLATE "C", asked.seq
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    SELECT array_agg(inserted.id) INTO stored FROM inserted;
    -- a snapshot of its own: the job may have ended before, or while this ran
    known := ARRAY(
        SELECT ended.id FROM unnest(stored) AS fresh (id) JOIN {schema}.ended_job AS ended ON ended.id = fresh.id
    );
    IF cardinality(known) > 0 THEN
        DELETE FROM {schema}.live_job WHERE id = ANY (known);
    END IF;
    IF cardinality(stored) = cardinality(ids) AND cardinality(known) = 0 THEN
        RETURN;
    END IF;
    refused := ARRAY(SELECT unnest(ids) EXCEPT SELECT unnest(stored) UNION SELECT unnest(known));
    IF won IS NOT NULL THEN
        -- a key that was won for a job that is not stored is given back
        won := ARRAY(SELECT unnest(won) INTERSECT SELECT unnest(refused));
        DELETE FROM {schema}.job_key AS held
        USING unnest(queue_names, idempotency_keys, ids) AS asked (queue_name, key, id)
        WHERE held.queue_name = coalesce(asked.queue_name, queue_names[1]) COLLATE "C"
            AND held.key = asked.key COLLATE "C" AND held.job_id = asked.id AND asked.id = ANY (won);
    END IF;
    RETURN QUERY SELECT unnest(refused);
END
$body$;

CREATE OR REPLACE FUNCTION {schema}.end_job(
    job {schema}.live_job, end_status text, message text, moment timestamptz, crashes int
) RETURNS void LANGUAGE sql AS $body$
INSERT INTO {schema}.ended_job (
    seq, id, queue_name, job_type, priority, max_retries, retry_count, crash_count, scheduled_at, created_at, started_at,
    ended_at, created_by, unique_key, idempotency_key, payload, metadata, status, error_message, partition_key
) VALUES (
    job.seq, job.id, job.queue_name, job.job_type, job.priority, job.max_retries, job.retry_count, crashes,
    job.scheduled_at, job.created_at, job.started_at, moment, job.created_by, job.unique_key, job.idempotency_key,
    job.payload, job.metadata, end_status, message, job.partition_key
)
$body$;

ALTER TYPE {schema}.claimed ADD ATTRIBUTE rank bigint;

-- What comes before a claim: expired jobs are given back, and due ones are ready. Returns the queues that jobs came to.
CREATE FUNCTION {schema}.get_ready(
    queue text, moment timestamptz, max_crashes int, crash_message text, cancelled_message text
) RETURNS text[] LANGUAGE plpgsql AS $body$
DECLARE
    given_back text[];
BEGIN
    IF EXISTS (SELECT FROM {schema}.live_job WHERE state = 2 AND lease_expires_at <= moment) THEN
        SELECT array_agg(DISTINCT came_back_to) INTO given_back
        FROM {schema}.give_back_expired(moment, max_crashes, crash_message, cancelled_message)
        WHERE can_run IS NOT FALSE;
    END IF;
    IF EXISTS (SELECT FROM {schema}.live_job WHERE queue_name = queue AND state = 1 AND run_at <= moment) THEN
        UPDATE {schema}.live_job SET state = 0 WHERE id = ANY (ARRAY(
            SELECT id FROM {schema}.live_job WHERE queue_name = queue AND state = 1 AND run_at <= moment
            ORDER BY run_at LIMIT 10000 FOR UPDATE SKIP LOCKED
        ));
    END IF;
    RETURN given_back;
END
$body$;

CREATE OR REPLACE FUNCTION {schema}.claim(
    queue text, wanted int, token bigint, claimer bigint, lease interval, moment timestamptz, max_crashes int,
    crash_message text, cancelled_message text
) RETURNS SETOF {schema}.claimed LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
DECLARE
    given_back text[];
    taken bigint := 0;
    due timestamptz;
BEGIN
    PERFORM {schema}.commit_durably('off');
    moment := coalesce(moment, now());
    given_back := {schema}.get_ready(queue, moment, max_crashes, crash_message, cancelled_message);
    IF NOT EXISTS (SELECT FROM {schema}.paused_queue WHERE queue_name = queue) THEN
        -- the array is made once; a join with the subquery might run it again and claim too much
        RETURN QUERY
        UPDATE {schema}.live_job AS job
        SET state = 2, started_at = moment, lease_token = token, session = claimer, lease_expires_at = moment + lease
        WHERE job.id = ANY (ARRAY(
            SELECT ready.id FROM {schema}.live_job AS ready WHERE ready.queue_name = queue AND ready.state = 0
            ORDER BY ready.priority DESC, ready.rank, ready.seq LIMIT wanted FOR UPDATE SKIP LOCKED
        ))
        RETURNING job.id, job.queue_name, job.job_type, job.priority, job.max_retries, job.retry_count,
            job.crash_count, job.scheduled_at, job.created_at, job.started_at, job.created_by, job.error_message,
            job.payload, job.metadata, job.seq, NULL::double precision, NULL::text[], job.rank;
        GET DIAGNOSTICS taken = ROW_COUNT;
        SELECT min(run_at) INTO due FROM {schema}.live_job
        WHERE taken < wanted AND queue_name = queue AND state = 1;
    END IF;
    IF taken < wanted OR given_back IS NOT NULL THEN
        SELECT least(due, min(lease_expires_at)) INTO due FROM {schema}.live_job WHERE state = 2;
        RETURN QUERY SELECT NULL::uuid, NULL, NULL, NULL::bigint, NULL::bigint, NULL::bigint, NULL::int,
            NULL::timestamptz, NULL::timestamptz, NULL::timestamptz, NULL::uuid, NULL, NULL::json, NULL::json,
            NULL::bigint, extract(epoch FROM due - moment)::double precision, given_back, NULL::bigint;
    END IF;
END
$body$;
