-- As it was, but a job is looked for once: by its place in the line, and not by its id again to be changed.
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
    PERFORM set_config('synchronous_commit', 'off', true);
    moment := coalesce(moment, now());
    given_back := {schema}.get_ready(queue, moment, max_crashes, crash_message, cancelled_message);
    IF NOT EXISTS (SELECT FROM {schema}.paused_queue WHERE queue_name = queue) THEN
        -- the array is made once; a join with the subquery might run it again and claim too much; what is locked stays at
        -- its place until the end of the statement, and is found there without its key
        RETURN QUERY
        UPDATE {schema}.live_job AS job
        SET state = 2, started_at = moment, lease_token = token, session = claimer, lease_expires_at = moment + lease
        WHERE job.ctid = ANY (ARRAY(
            SELECT ready.ctid FROM {schema}.live_job AS ready WHERE ready.queue_name = queue AND ready.state = 0
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
