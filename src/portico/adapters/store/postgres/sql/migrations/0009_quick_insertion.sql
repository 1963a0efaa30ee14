-- The short ways of `enqueue`: they store all that is given, or nothing, and tell which. `mode` is that of
-- `commit_durably`, whose place they take: a call of a function is a tenth of the time of a lone job.

-- One job without an idempotency key. Whether its job has ended is looked at after it is stored, with a snapshot of its
-- own, so also where that happened meanwhile.
CREATE FUNCTION {schema}.enqueue_lone(
    given_id uuid, queue text, type_name text, level bigint, retries bigint, schedule timestamptz, creation timestamptz,
    creator uuid, key_value text, payload_text text, metadata_text text, partition text, moment timestamptz, mode text
) RETURNS boolean LANGUAGE plpgsql SET enable_seqscan = off
AS $body$
DECLARE
    turn bigint := 0;
BEGIN
    IF mode = 'off' OR mode = 'on' AND current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', mode, true);
    END IF;
    IF partition IS NOT NULL OR EXISTS (
        SELECT FROM {schema}.live_job
        WHERE queue_name = queue AND state <> 2 AND (partition_key IS NOT NULL OR rank > 0)
    ) THEN
        turn := {schema}.next_rank(queue, level, partition, true);
    END IF;
    INSERT INTO {schema}.live_job (
        seq, id, queue_name, job_type, priority, max_retries, scheduled_at, created_at, created_by, unique_key, payload,
        metadata, partition_key, rank, state, run_at
    ) VALUES (
        nextval('{schema}.job_seq'), given_id, queue, type_name, level, retries, schedule, creation, creator, key_value,
        payload_text::json, metadata_text::json, partition, turn,
        CASE WHEN schedule > coalesce(moment, now()) THEN 1 ELSE 0 END, coalesce(schedule, moment, now())
    )
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF EXISTS (SELECT FROM {schema}.ended_job WHERE id = given_id) THEN
        DELETE FROM {schema}.live_job WHERE id = given_id;
        RETURN false;
    END IF;
    RETURN true;
END
$body$;

-- Jobs without any key, of different ids. What is the same for all jobs, or NULL, may be given once.
CREATE FUNCTION {schema}.enqueue_keyless(
    ids uuid[], queue_names text[], job_types text[], priorities bigint[], retries bigint[], schedules timestamptz[],
    creations timestamptz[], creators uuid[], payloads text[], metadatas text[], partition_keys text[],
    moment timestamptz, mode text
) RETURNS boolean LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
DECLARE
    ranks bigint[];
BEGIN
    PERFORM {schema}.commit_durably(mode);
    moment := coalesce(moment, now());
    IF partition_keys IS NOT NULL OR EXISTS (
        SELECT FROM {schema}.live_job
        WHERE queue_name = ANY (queue_names) AND state <> 2 AND (partition_key IS NOT NULL OR rank > 0)
    ) THEN
        ranks := {schema}.ranks(ids, queue_names, priorities, partition_keys);
    END IF;
    INSERT INTO {schema}.live_job (
        seq, id, queue_name, job_type, priority, max_retries, scheduled_at, created_at, created_by, payload, metadata,
        partition_key, rank, state, run_at
    )
    SELECT nextval('{schema}.job_seq'), asked.id, coalesce(asked.queue_name, queue_names[1]),
        coalesce(asked.job_type, job_types[1]), coalesce(asked.priority, priorities[1]),
        coalesce(asked.max_retries, retries[1]), asked.scheduled_at, coalesce(asked.created_at, creations[1]),
        asked.created_by, coalesce(asked.payload, payloads[1])::json, coalesce(asked.metadata, metadatas[1])::json,
        asked.partition_key, coalesce(asked.rank, 0),
        CASE WHEN asked.scheduled_at > moment THEN 1 ELSE 0 END, coalesce(asked.scheduled_at, moment)
    FROM unnest(
        ids, queue_names, job_types, priorities, retries, schedules, creations, creators, payloads, metadatas,
        partition_keys, ranks
    ) AS asked (
        id, queue_name, job_type, priority, max_retries, scheduled_at, created_at, created_by, payload, metadata,
        partition_key, rank
    );
    IF EXISTS (SELECT FROM {schema}.ended_job WHERE id = ANY (ids)) THEN
        RAISE unique_violation;
    END IF;
    RETURN true;
EXCEPTION WHEN unique_violation THEN
    RETURN false;
END
$body$;
