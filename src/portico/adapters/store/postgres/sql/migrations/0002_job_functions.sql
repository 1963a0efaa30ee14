-- Hot operations are functions: several statements, each with a snapshot of its own, in one round trip. Statistics of
-- tables that fill and empty within seconds mislead the planner, so the ways that are always right are prescribed.

-- Whether the commit waits for the disk: 'off', 'on', or NULL for as it is. Until the end of the transaction.
CREATE FUNCTION {schema}.commit_durably(mode text) RETURNS void LANGUAGE plpgsql AS $body$
BEGIN
    IF mode = 'off' THEN
        PERFORM set_config('synchronous_commit', 'off', true);
    ELSIF mode = 'on' AND current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
END
$body$;

-- Returns the ids of the jobs that were not stored because their id or one of their keys is taken. Within one call no
-- id and no key may come twice. What is the same for all jobs, or NULL, may be given once.
CREATE FUNCTION {schema}.enqueue(
    ids uuid[], queue_names text[], job_types text[], priorities bigint[], retries bigint[], schedules timestamptz[],
    creations timestamptz[], creators uuid[], unique_keys text[], idempotency_keys text[], payloads text[],
    metadatas text[], moment timestamptz, held_for interval, mode text
) RETURNS SETOF uuid LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
DECLARE
    won uuid[];
    stored uuid[];
    known uuid[];
    refused uuid[];
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
    WITH asked AS MATERIALIZED (
        SELECT nextval('{schema}.job_seq') AS seq, given.*
        FROM unnest(
            ids, queue_names, job_types, priorities, retries, schedules, creations, creators, unique_keys,
            idempotency_keys, payloads, metadatas
        ) AS given (
            id, queue_name, job_type, priority, max_retries, scheduled_at, created_at, created_by, unique_key,
            idempotency_key, payload, metadata
        )
    ), inserted AS (
        INSERT INTO {schema}.live_job (
            seq, id, queue_name, job_type, priority, max_retries, scheduled_at, created_at, created_by, unique_key,
            idempotency_key, payload, metadata, state, run_at
        )
        SELECT asked.seq, asked.id, coalesce(asked.queue_name, queue_names[1]),
            coalesce(asked.job_type, job_types[1]), coalesce(asked.priority, priorities[1]),
            coalesce(asked.max_retries, retries[1]), asked.scheduled_at, coalesce(asked.created_at, creations[1]),
            asked.created_by, asked.unique_key, asked.idempotency_key, coalesce(asked.payload, payloads[1])::json,
            coalesce(asked.metadata, metadatas[1])::json,
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

CREATE FUNCTION {schema}.end_job(
    job {schema}.live_job, end_status text, message text, moment timestamptz, crashes int
) RETURNS void LANGUAGE sql AS $body$
INSERT INTO {schema}.ended_job (
    seq, id, queue_name, job_type, priority, max_retries, retry_count, crash_count, scheduled_at, created_at, started_at,
    ended_at, created_by, unique_key, idempotency_key, payload, metadata, status, error_message
) VALUES (
    job.seq, job.id, job.queue_name, job.job_type, job.priority, job.max_retries, job.retry_count, crashes,
    job.scheduled_at, job.created_at, job.started_at, moment, job.created_by, job.unique_key, job.idempotency_key,
    job.payload, job.metadata, end_status, message
)
$body$;

-- Gives back running jobs unrun, or ends those that shall; returns, for each, its queue and whether it can run again.
CREATE FUNCTION {schema}.put_back(
    job_ids uuid[], available_at timestamptz, moment timestamptz, cancelled_message text
) RETURNS TABLE (came_back_to text, can_run boolean) LANGUAGE sql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
WITH back AS (
    UPDATE {schema}.live_job
    SET state = CASE WHEN available_at > moment THEN 1 ELSE 0 END, run_at = coalesce(available_at, moment),
        started_at = NULL, lease_expires_at = NULL, lease_token = NULL, session = NULL
    WHERE id = ANY (job_ids) AND NOT abort_requested
    RETURNING queue_name
), gone AS (
    DELETE FROM {schema}.live_job AS job WHERE id = ANY (job_ids) AND abort_requested RETURNING job
)
SELECT queue_name, true FROM back
UNION ALL
SELECT (gone.job).queue_name, false
FROM gone, {schema}.end_job(gone.job, 'failed', cancelled_message, moment, (gone.job).crash_count)
$body$;

-- Gives back the jobs whose lease is over; returns, for each, its queue and whether it can run again.
CREATE FUNCTION {schema}.give_back_expired(
    moment timestamptz, max_crashes int, crash_message text, cancelled_message text
) RETURNS TABLE (came_back_to text, can_run boolean) LANGUAGE sql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
WITH expired AS MATERIALIZED (
    SELECT id, crash_count + 1 AS crashes, crash_count + 1 > max_crashes AS is_poison FROM {schema}.live_job
    WHERE state = 2 AND lease_expires_at <= moment
    ORDER BY lease_expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED
), back AS (
    UPDATE {schema}.live_job AS job
    SET state = 0, run_at = moment, crash_count = expired.crashes, started_at = NULL, error_message = crash_message,
        lease_expires_at = NULL, lease_token = NULL, session = NULL
    FROM expired WHERE job.id = expired.id AND NOT expired.is_poison AND NOT job.abort_requested
    RETURNING job.queue_name
), gone AS (
    DELETE FROM {schema}.live_job AS job
    USING expired WHERE job.id = expired.id AND (expired.is_poison OR job.abort_requested)
    RETURNING job, expired.crashes, expired.is_poison
)
SELECT queue_name, true FROM back
UNION ALL
SELECT (gone.job).queue_name, false
FROM gone, {schema}.end_job(
    gone.job, CASE WHEN is_poison THEN 'dead_letter' ELSE 'failed' END,
    CASE WHEN is_poison THEN crash_message || ' (' || crashes || ' times)' ELSE cancelled_message END,
    moment, CASE WHEN is_poison THEN crashes ELSE (gone.job).crash_count END
)
$body$;

-- A claimed job; or a last row without a job: what a claim that took all there was has to say.
CREATE TYPE {schema}.claimed AS (
    id uuid, queue_name text, job_type text, priority bigint, max_retries bigint, retry_count bigint, crash_count int,
    scheduled_at timestamptz, created_at timestamptz, started_at timestamptz, created_by uuid, error_message text,
    payload json, metadata json, seq bigint,
    due_in_seconds double precision, came_back_to text[]
);

CREATE FUNCTION {schema}.claim(
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
    IF EXISTS (SELECT FROM {schema}.live_job WHERE state = 2 AND lease_expires_at <= moment) THEN
        SELECT array_agg(DISTINCT came_back_to) INTO given_back
        FROM {schema}.give_back_expired(moment, max_crashes, crash_message, cancelled_message) WHERE can_run;
    END IF;
    IF NOT EXISTS (SELECT FROM {schema}.paused_queue WHERE queue_name = queue) THEN
        IF EXISTS (SELECT FROM {schema}.live_job WHERE queue_name = queue AND state = 1 AND run_at <= moment) THEN
            UPDATE {schema}.live_job SET state = 0 WHERE id = ANY (ARRAY(
                SELECT id FROM {schema}.live_job WHERE queue_name = queue AND state = 1 AND run_at <= moment
                ORDER BY run_at LIMIT 10000 FOR UPDATE SKIP LOCKED
            ));
        END IF;
        -- the array is made once; a join with the subquery might run it again and claim too much
        RETURN QUERY
        UPDATE {schema}.live_job AS job
        SET state = 2, started_at = moment, lease_token = token, session = claimer, lease_expires_at = moment + lease
        WHERE job.id = ANY (ARRAY(
            SELECT ready.id FROM {schema}.live_job AS ready WHERE ready.queue_name = queue AND ready.state = 0
            ORDER BY ready.priority DESC, ready.seq LIMIT wanted FOR UPDATE SKIP LOCKED
        ))
        RETURNING job.id, job.queue_name, job.job_type, job.priority, job.max_retries, job.retry_count,
            job.crash_count, job.scheduled_at, job.created_at, job.started_at, job.created_by, job.error_message,
            job.payload, job.metadata, job.seq, NULL::double precision, NULL::text[];
        GET DIAGNOSTICS taken = ROW_COUNT;
        SELECT min(run_at) INTO due FROM {schema}.live_job
        WHERE taken < wanted AND queue_name = queue AND state = 1;
    END IF;
    IF taken < wanted OR given_back IS NOT NULL THEN
        SELECT least(due, min(lease_expires_at)) INTO due FROM {schema}.live_job WHERE state = 2;
        RETURN QUERY SELECT NULL::uuid, NULL, NULL, NULL::bigint, NULL::bigint, NULL::bigint, NULL::int,
            NULL::timestamptz, NULL::timestamptz, NULL::timestamptz, NULL::uuid, NULL, NULL::json, NULL::json,
            NULL::bigint, extract(epoch FROM due - moment)::double precision, given_back;
    END IF;
END
$body$;

-- Returns the places, from 1, of the answers that completed a job.
CREATE FUNCTION {schema}.complete(ids uuid[], tokens bigint[], results text[], moment timestamptz)
RETURNS SETOF int LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
BEGIN
    PERFORM {schema}.commit_durably('off');
    RETURN QUERY
    WITH gone AS (
        DELETE FROM {schema}.live_job AS job
        USING unnest(ids, tokens, results) WITH ORDINALITY AS answer (id, token, result, place)
        -- the sum keeps the planner from walking all running jobs for each answer
        WHERE job.id = answer.id AND job.state + 0 = 2 AND (answer.token IS NULL OR job.lease_token = answer.token)
        RETURNING job.*, answer.result, answer.place
    ), kept AS (
        INSERT INTO {schema}.ended_job (
            seq, id, queue_name, job_type, priority, max_retries, retry_count, crash_count, scheduled_at, created_at,
            started_at, ended_at, created_by, unique_key, idempotency_key, payload, metadata, status, lease_token,
            result
        )
        SELECT seq, id, queue_name, job_type, priority, max_retries, retry_count, crash_count, scheduled_at,
            created_at, started_at, coalesce(moment, now()), created_by, unique_key, idempotency_key, payload,
            metadata, 'completed', lease_token, result::json
        FROM gone
    )
    SELECT place::int FROM gone;
END
$body$;

-- Returns the places, from 1, of the answers that failed a job, its queue, and whether it will run again.
CREATE FUNCTION {schema}.reject(
    ids uuid[], tokens bigint[], requeues int[], messages text[], retries_at timestamptz[], moment timestamptz,
    cancelled_message text, mode text
) RETURNS TABLE (place int, queue_name text, can_run boolean) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
#variable_conflict use_column
BEGIN
    PERFORM {schema}.commit_durably(mode);
    moment := coalesce(moment, now());
    RETURN QUERY
    WITH answer AS MATERIALIZED (
        SELECT * FROM unnest(ids, tokens, requeues, messages, retries_at)
        WITH ORDINALITY AS answer (id, token, requeue, message, retry_at, place)
    ), back AS (
        UPDATE {schema}.live_job AS job
        SET state = CASE WHEN answer.retry_at > moment THEN 1 ELSE 0 END, run_at = coalesce(answer.retry_at, moment),
            retry_count = job.retry_count + 1, error_message = answer.message, started_at = NULL,
            lease_expires_at = NULL, lease_token = NULL, session = NULL
        FROM answer
        WHERE job.id = answer.id AND job.state + 0 = 2 AND (answer.token IS NULL OR job.lease_token = answer.token)
            AND answer.requeue = 1 AND job.retry_count < job.max_retries AND NOT job.abort_requested
        RETURNING answer.place, job.queue_name
    ), gone AS (
        DELETE FROM {schema}.live_job AS job USING answer
        WHERE job.id = answer.id AND job.state + 0 = 2 AND (answer.token IS NULL OR job.lease_token = answer.token)
            AND NOT (answer.requeue = 1 AND job.retry_count < job.max_retries AND NOT job.abort_requested)
        RETURNING job, answer.place, answer.message,
            answer.requeue = 1 AND job.retry_count >= job.max_retries AS is_used_up,
            answer.requeue = 1 AND job.retry_count < job.max_retries AS is_aborted
    )
    SELECT back.place::int, back.queue_name::text, true FROM back
    UNION ALL
    SELECT gone.place::int, (gone.job).queue_name::text, false
    FROM gone, {schema}.end_job(
        gone.job, CASE WHEN gone.is_used_up THEN 'dead_letter' ELSE 'failed' END,
        CASE WHEN gone.is_aborted THEN cancelled_message ELSE gone.message END, moment, (gone.job).crash_count
    );
END
$body$;

-- Returns the ids of the jobs whose lease was begun anew.
CREATE FUNCTION {schema}.extend(ids uuid[], tokens bigint[], lease interval, moment timestamptz)
RETURNS SETOF uuid LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
BEGIN
    PERFORM {schema}.commit_durably('off');
    RETURN QUERY
    UPDATE {schema}.live_job AS job SET lease_expires_at = coalesce(moment, now()) + lease
    FROM unnest(ids, tokens) AS held (id, token)
    WHERE job.id = held.id AND job.state + 0 = 2 AND job.lease_token = held.token
    RETURNING job.id;
END
$body$;
