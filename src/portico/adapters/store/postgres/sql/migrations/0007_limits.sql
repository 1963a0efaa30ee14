-- Limits. A slot counts the runs of the jobs that come under it, or their starts in a window. A job without room in one
-- of its slots is parked there: `state` 3, outside the index of ready jobs. A run counts while the job runs under its
-- token, whatever ended it; so a slot cannot leak. Whoever counts, parks or unparks has the lock of `lock_slots`, and
-- waits for nobody while having it: no two can wait for each other. Whoever ends runs looks for parked jobs after it got
-- the lock, and so sees those that were parked because of its runs.
CREATE TABLE {schema}.slot (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    size bigint NOT NULL
);
CREATE TABLE {schema}.slot_run (
    slot bigint NOT NULL,
    job_id uuid NOT NULL,
    token bigint NOT NULL,
    PRIMARY KEY (job_id, slot, token)
);
CREATE INDEX slot_run_slot ON {schema}.slot_run (slot);
CREATE TABLE {schema}.slot_start (
    slot bigint NOT NULL,
    free_at timestamptz NOT NULL,
    starts bigint NOT NULL,
    PRIMARY KEY (slot, free_at)
);
CREATE INDEX slot_start_free_at ON {schema}.slot_start (free_at);
ALTER TABLE {schema}.live_job ADD COLUMN waits_for bigint;
CREATE INDEX live_job_parked ON {schema}.live_job (waits_for, queue_name, priority DESC, rank, seq) WHERE state = 3;

CREATE FUNCTION {schema}.lock_slots() RETURNS void LANGUAGE sql AS $body$
SELECT pg_advisory_xact_lock(hashtextextended('{schema} slots', 1))
$body$;

-- How many more may run or start; NULL for a slot that is not known. `taken` is how many do.
CREATE FUNCTION {schema}.slot_room(wanted bigint, moment timestamptz, OUT room bigint, OUT taken bigint)
LANGUAGE plpgsql STABLE AS $body$
BEGIN
    SELECT (
        SELECT count(*) FROM {schema}.slot_run AS run JOIN {schema}.live_job AS job ON job.id = run.job_id
        WHERE run.slot = wanted AND job.state + 0 = 2 AND job.lease_token = run.token
    ) + (
        SELECT coalesce(sum(starts), 0) FROM {schema}.slot_start WHERE slot = wanted AND free_at > moment
    ) INTO taken;
    SELECT size - taken INTO room FROM {schema}.slot WHERE id = wanted;
END
$body$;

-- Makes the best jobs that wait for a slot ready again, so many of each queue; returns the queues. Until such a job is
-- claimed, `waits_for` says which slot it was let go for.
CREATE FUNCTION {schema}.unpark(wanted bigint, so_many bigint) RETURNS SETOF text LANGUAGE plpgsql AS $body$
DECLARE
    queue text;
BEGIN
    SELECT min(queue_name) INTO queue FROM {schema}.live_job WHERE state = 3 AND waits_for = wanted;
    WHILE queue IS NOT NULL LOOP
        UPDATE {schema}.live_job SET state = 0 WHERE id = ANY (ARRAY(
            SELECT id FROM {schema}.live_job WHERE state = 3 AND waits_for = wanted AND queue_name = queue
            ORDER BY priority DESC, rank, seq LIMIT so_many FOR UPDATE SKIP LOCKED
        ));
        RETURN NEXT queue;
        SELECT min(queue_name) INTO queue FROM {schema}.live_job
        WHERE state = 3 AND waits_for = wanted AND queue_name > queue;
    END LOOP;
END
$body$;

CREATE FUNCTION {schema}.unpark_where_room(slots bigint[], moment timestamptz) RETURNS SETOF text LANGUAGE sql AS $body$
SELECT DISTINCT {schema}.unpark(freed.slot, count.room)
FROM unnest(slots) AS freed (slot), {schema}.slot_room(freed.slot, moment) AS count
WHERE count.room > 0
$body$;

-- Follows whatever ends runs, in its transaction; returns the queues with jobs that may run now.
CREATE FUNCTION {schema}.free_slots(ended uuid[], moment timestamptz) RETURNS SETOF text LANGUAGE plpgsql AS $body$
DECLARE
    freed bigint[];
BEGIN
    IF NOT EXISTS (SELECT FROM {schema}.slot) OR NOT EXISTS (SELECT FROM {schema}.slot_run WHERE job_id = ANY (ended)) THEN
        RETURN;
    END IF;
    PERFORM {schema}.lock_slots();
    WITH gone AS (
        DELETE FROM {schema}.slot_run AS run WHERE job_id = ANY (ended) AND NOT EXISTS (
            SELECT FROM {schema}.live_job AS job
            WHERE job.id = run.job_id AND job.state + 0 = 2 AND job.lease_token = run.token
        )
        RETURNING slot
    )
    SELECT array_agg(DISTINCT slot) INTO freed FROM gone;
    RETURN QUERY SELECT {schema}.unpark_where_room(freed, moment);
END
$body$;

-- Follows the end of a job that did not run: what it was let go for is there for the next. Returns queues as `free_slots`.
CREATE FUNCTION {schema}.leave_slot(left_one bigint, moment timestamptz) RETURNS SETOF text LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
BEGIN
    IF left_one IS NOT NULL THEN
        PERFORM {schema}.lock_slots();
        RETURN QUERY SELECT {schema}.unpark_where_room(ARRAY[left_one], moment);
    END IF;
END
$body$;

-- Gives back running jobs unrun, or ends those that shall; returns, for each, its queue and whether it can run again, and
-- with NULL for that the queues with jobs that may run because of it. What is lost comes back when its lease is over.
CREATE OR REPLACE FUNCTION {schema}.put_back(
    job_ids uuid[], available_at timestamptz, moment timestamptz, cancelled_message text
) RETURNS TABLE (came_back_to text, can_run boolean) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
BEGIN
    PERFORM {schema}.commit_durably('off');
    RETURN QUERY
    WITH back AS (
        UPDATE {schema}.live_job
        SET state = CASE WHEN available_at > moment THEN 1 ELSE 0 END, run_at = coalesce(available_at, moment),
            started_at = NULL, lease_expires_at = NULL, lease_token = NULL, session = NULL
        WHERE id = ANY (job_ids) AND NOT abort_requested
        RETURNING queue_name
    ), gone AS (
        DELETE FROM {schema}.live_job AS job WHERE id = ANY (job_ids) AND abort_requested RETURNING job
    )
    SELECT back.queue_name::text, true FROM back
    UNION ALL
    SELECT (gone.job).queue_name::text, false
    FROM gone, {schema}.end_job(gone.job, 'failed', cancelled_message, moment, (gone.job).crash_count);
    RETURN QUERY SELECT freed, NULL::boolean FROM {schema}.free_slots(job_ids, moment) AS freed;
END
$body$;

-- Gives back the jobs whose lease is over; returns what `put_back` returns.
CREATE OR REPLACE FUNCTION {schema}.give_back_expired(
    moment timestamptz, max_crashes int, crash_message text, cancelled_message text
) RETURNS TABLE (came_back_to text, can_run boolean) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
DECLARE
    expired uuid[];
BEGIN
    expired := ARRAY(
        SELECT id FROM {schema}.live_job WHERE state = 2 AND lease_expires_at <= moment
        ORDER BY lease_expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED
    );
    RETURN QUERY
    WITH back AS (
        UPDATE {schema}.live_job AS job
        SET state = 0, run_at = moment, crash_count = crash_count + 1, started_at = NULL, error_message = crash_message,
            lease_expires_at = NULL, lease_token = NULL, session = NULL
        WHERE id = ANY (expired) AND crash_count < max_crashes AND NOT abort_requested
        RETURNING queue_name
    ), gone AS (
        DELETE FROM {schema}.live_job AS job
        WHERE id = ANY (expired) AND (crash_count >= max_crashes OR abort_requested)
        RETURNING job, crash_count + 1 AS crashes, crash_count >= max_crashes AS is_poison
    )
    SELECT back.queue_name::text, true FROM back
    UNION ALL
    SELECT (gone.job).queue_name::text, false
    FROM gone, {schema}.end_job(
        gone.job, CASE WHEN is_poison THEN 'dead_letter' ELSE 'failed' END,
        CASE WHEN is_poison THEN crash_message || ' (' || crashes || ' times)' ELSE cancelled_message END,
        moment, CASE WHEN is_poison THEN crashes ELSE (gone.job).crash_count END
    );
    RETURN QUERY SELECT freed, NULL::boolean FROM {schema}.free_slots(expired, moment) AS freed;
END
$body$;

DROP FUNCTION {schema}.complete(uuid[], bigint[], text[], timestamptz);
-- Returns the places, from 1, of the answers that completed a job; and the queues with jobs that may run because of it.
CREATE FUNCTION {schema}.complete(ids uuid[], tokens bigint[], results text[], moment timestamptz)
RETURNS TABLE (place int, came_back_to text) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
#variable_conflict use_column
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
            result, partition_key
        )
        SELECT seq, id, queue_name, job_type, priority, max_retries, retry_count, crash_count, scheduled_at,
            created_at, started_at, coalesce(moment, now()), created_by, unique_key, idempotency_key, payload,
            metadata, 'completed', lease_token, result::json, partition_key
        FROM gone
    )
    SELECT gone.place::int, NULL FROM gone;
    RETURN QUERY SELECT NULL::int, freed FROM {schema}.free_slots(ids, coalesce(moment, now())) AS freed;
END
$body$;

-- Returns the places, from 1, of the answers that failed a job, its queue, and whether it will run again; and, without a
-- place, the queues with jobs that may run because of it.
CREATE OR REPLACE FUNCTION {schema}.reject(
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
    RETURN QUERY SELECT NULL::int, freed, true FROM {schema}.free_slots(ids, moment) AS freed;
END
$body$;

-- The head of a queue's line, not claimed: for `admit`; with the moment to admit them at. Or a last row without a job,
-- as `claim` has it.
CREATE FUNCTION {schema}.look(
    queue text, wanted int, moment timestamptz, max_crashes int, crash_message text, cancelled_message text
) RETURNS SETOF {schema}.claimed LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
DECLARE
    came_back text[];
    freed bigint[];
    looked_at bigint := 0;
    due timestamptz;
BEGIN
    PERFORM {schema}.commit_durably('off');
    moment := coalesce(moment, clock_timestamp());
    came_back := {schema}.get_ready(queue, moment, max_crashes, crash_message, cancelled_message);
    IF EXISTS (SELECT FROM {schema}.slot_start WHERE free_at <= moment) THEN
        PERFORM {schema}.lock_slots();
        WITH past AS (DELETE FROM {schema}.slot_start WHERE free_at <= moment RETURNING slot)
        SELECT array_agg(DISTINCT slot) INTO freed FROM past;
        came_back := came_back || ARRAY(SELECT {schema}.unpark_where_room(freed, moment));
    END IF;
    IF NOT EXISTS (SELECT FROM {schema}.paused_queue WHERE queue_name = queue) THEN
        -- locked, so that nobody looks again and again at what somebody else is about to take
        RETURN QUERY
        SELECT id, queue_name, job_type, priority, max_retries, retry_count, crash_count, scheduled_at, created_at,
            moment, created_by, error_message, payload, metadata, seq, NULL::double precision, NULL::text[], rank
        FROM {schema}.live_job WHERE queue_name = queue AND state = 0
        ORDER BY priority DESC, rank, seq LIMIT wanted FOR UPDATE SKIP LOCKED;
        GET DIAGNOSTICS looked_at = ROW_COUNT;
        SELECT min(run_at) INTO due FROM {schema}.live_job WHERE looked_at = 0 AND queue_name = queue AND state = 1;
    END IF;
    IF looked_at = 0 OR came_back IS NOT NULL THEN
        SELECT least(due, min(lease_expires_at), (
            SELECT free_at FROM {schema}.slot_start AS start WHERE EXISTS (
                SELECT FROM {schema}.live_job WHERE state = 3 AND waits_for = start.slot AND queue_name = queue
            ) ORDER BY free_at LIMIT 1
        )) INTO due FROM {schema}.live_job WHERE state = 2;
        RETURN QUERY SELECT NULL::uuid, NULL, NULL, NULL::bigint, NULL::bigint, NULL::bigint, NULL::int,
            NULL::timestamptz, NULL::timestamptz, NULL::timestamptz, NULL::uuid, NULL, NULL::json, NULL::json,
            NULL::bigint, extract(epoch FROM due - moment)::double precision, came_back, NULL::bigint;
    END IF;
END
$body$;

-- Claims those of the jobs, in order, that are still ready and have room in all of their slots, until `wanted` are claimed,
-- and parks the others. The needs of job n, by their places in `names`, are needs[ends[n - 1] + 1:ends[n]]; a slot
-- with a window counts starts. Returns the claimed jobs, and queues with jobs that may run now.
CREATE FUNCTION {schema}.admit(
    ids uuid[], ends int[], needs int[], names text[], sizes bigint[], windows interval[],
    wanted int, given_token bigint, claimer bigint, lease interval, moment timestamptz
) RETURNS TABLE (admitted uuid, started_at timestamptz, came_back_to text) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
#variable_conflict use_column
DECLARE
    slots bigint[];
    rooms bigint[];
    passed bigint[];
    candidate record;
    need int;
    taken uuid[] := '{}';
    takes int[] := '{}';
    takers uuid[] := '{}';
    parked uuid[] := '{}';
    waits bigint[] := '{}';
    is_full boolean;
BEGIN
    PERFORM {schema}.commit_durably('off');
    IF cardinality(names) > 0 THEN
        PERFORM {schema}.lock_slots();
    END IF;
    moment := coalesce(moment, clock_timestamp());
    INSERT INTO {schema}.slot (name, size)
    SELECT asked.name, asked.size FROM unnest(names, sizes) AS asked (name, size)
    WHERE NOT EXISTS (SELECT FROM {schema}.slot AS known WHERE known.name = asked.name COLLATE "C");
    UPDATE {schema}.slot AS known SET size = asked.size FROM unnest(names, sizes) AS asked (name, size)
    WHERE known.name = asked.name COLLATE "C" AND known.size <> asked.size;
    SELECT array_agg(known.id ORDER BY place), array_agg(count.room ORDER BY place), array_agg(0 ORDER BY place)
    INTO slots, rooms, passed
    FROM unnest(names) WITH ORDINALITY AS asked (name, place)
    JOIN {schema}.slot AS known ON known.name = asked.name COLLATE "C"
    CROSS JOIN LATERAL {schema}.slot_room(known.id, moment) AS count;
    FOR candidate IN
        SELECT job.id, asked.place FROM unnest(ids) WITH ORDINALITY AS asked (id, place)
        JOIN {schema}.live_job AS job ON job.id = asked.id
        WHERE job.state + 0 = 0 ORDER BY asked.place FOR UPDATE OF job SKIP LOCKED
    LOOP
        EXIT WHEN cardinality(taken) = wanted;
        is_full := false;
        FOREACH need IN ARRAY needs[coalesce(ends[candidate.place - 1], 0) + 1:ends[candidate.place]] LOOP
            IF rooms[need] <= 0 THEN
                is_full := true;
                parked := parked || candidate.id;
                waits := waits || slots[need];
                EXIT;
            END IF;
        END LOOP;
        FOREACH need IN ARRAY needs[coalesce(ends[candidate.place - 1], 0) + 1:ends[candidate.place]] LOOP
            IF is_full THEN
                passed[need] := passed[need] + 1;
            ELSE
                rooms[need] := rooms[need] - 1;
                takes := takes || need;
                takers := takers || candidate.id;
            END IF;
        END LOOP;
        IF NOT is_full THEN
            taken := taken || candidate.id;
        END IF;
    END LOOP;
    UPDATE {schema}.live_job AS job
    SET state = 2, started_at = moment, lease_token = given_token, session = claimer, lease_expires_at = moment + lease,
        waits_for = NULL
    WHERE job.id = ANY (taken);
    UPDATE {schema}.live_job AS job SET state = 3, waits_for = asked.slot
    FROM unnest(parked, waits) AS asked (id, slot) WHERE job.id = asked.id;
    INSERT INTO {schema}.slot_run (slot, job_id, token)
    SELECT slots[took.need], took.job_id, given_token FROM unnest(takes, takers) AS took (need, job_id)
    WHERE windows[took.need] IS NULL;
    INSERT INTO {schema}.slot_start AS known (slot, free_at, starts)
    SELECT slots[took.need], moment + windows[took.need], count(*) FROM unnest(takes) AS took (need)
    WHERE windows[took.need] IS NOT NULL GROUP BY took.need
    ON CONFLICT (slot, free_at) DO UPDATE SET starts = known.starts + excluded.starts;
    RETURN QUERY SELECT job_id, moment, NULL FROM unnest(taken) AS job_id;
    -- who was let go for a slot and had to wait for another one leaves the room to the next; twice as many, so that a
    -- long line of such jobs is gone through in few steps
    RETURN QUERY
    SELECT DISTINCT NULL::uuid, NULL::timestamptz, {schema}.unpark(slot.id, slot.room + 2 * slot.passed)
    FROM unnest(slots, rooms, passed) AS slot (id, room, passed) WHERE slot.room > 0;
END
$body$;

-- The net below: for runs whose end nobody saw through, and for limits that are no more. Returns queues as `free_slots`.
CREATE FUNCTION {schema}.sweep_slots(moment timestamptz) RETURNS SETOF text LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
DECLARE
    place bigint;
    count record;
BEGIN
    IF NOT EXISTS (SELECT FROM {schema}.slot) THEN
        RETURN;
    END IF;
    PERFORM {schema}.commit_durably('off');
    PERFORM {schema}.lock_slots();
    DELETE FROM {schema}.slot_start WHERE free_at <= moment;
    DELETE FROM {schema}.slot_run AS run WHERE NOT EXISTS (
        SELECT FROM {schema}.live_job AS job
        WHERE job.id = run.job_id AND job.state + 0 = 2 AND job.lease_token = run.token
    );
    SELECT min(waits_for) INTO place FROM {schema}.live_job WHERE state = 3;
    WHILE place IS NOT NULL LOOP
        SELECT * INTO count FROM {schema}.slot_room(place, moment);
        IF count.taken = 0 THEN
            RETURN QUERY SELECT {schema}.unpark(place, 1000);
        ELSIF count.room > 0 THEN
            RETURN QUERY SELECT {schema}.unpark(place, count.room);
        END IF;
        SELECT min(waits_for) INTO place FROM {schema}.live_job WHERE state = 3 AND waits_for > place;
    END LOOP;
    DELETE FROM {schema}.slot WHERE NOT EXISTS (SELECT FROM {schema}.slot_run AS run WHERE run.slot = slot.id)
        AND NOT EXISTS (SELECT FROM {schema}.slot_start AS start WHERE start.slot = slot.id)
        AND NOT EXISTS (SELECT FROM {schema}.live_job WHERE state = 3 AND waits_for = slot.id);
END
$body$;
