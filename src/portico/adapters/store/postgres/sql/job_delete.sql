WITH live AS (
    DELETE FROM {schema}.live_job WHERE id = $1::uuid AND state <> 2
    RETURNING seq, id, queue_name, job_type, priority, 'failed' AS status, max_retries, retry_count, crash_count, scheduled_at,
        created_at, started_at, coalesce($2::timestamptz, now()) AS ended_at, created_by, error_message, metadata,
        idempotency_key, waits_for
), ended AS (
    DELETE FROM {schema}.ended_job WHERE id = $1
    RETURNING seq, id, queue_name, job_type, priority, status, max_retries, retry_count, crash_count, scheduled_at,
        created_at, started_at, ended_at, created_by, error_message, metadata, idempotency_key, NULL::bigint
), gone AS (
    SELECT * FROM live UNION ALL SELECT * FROM ended
), outlived AS (
    UPDATE {schema}.job_key AS held SET status = gone.status, expires_at = gone.ended_at + $3::interval
    FROM gone
    WHERE held.queue_name = gone.queue_name AND held.key = gone.idempotency_key AND held.job_id = gone.id
    RETURNING gone.*, held.expires_at
), kept AS (
    INSERT INTO {schema}.gone_job (
        seq, id, queue_name, job_type, priority, status, max_retries, retry_count, crash_count, scheduled_at, created_at,
        started_at, ended_at, created_by, error_message, metadata,
        expires_at
    )
    SELECT seq, id, queue_name, job_type, priority, status, max_retries, retry_count, crash_count, scheduled_at, created_at,
        started_at, ended_at, created_by, error_message, metadata,
        expires_at
    FROM outlived
)
-- counted, so that the keys are seen to before the lock of the slots is taken: they may be waited for
SELECT ARRAY(SELECT {schema}.leave_slot(gone.waits_for, gone.ended_at)) AS came_back_to
FROM gone, (SELECT count(*) FROM outlived) AS keys
