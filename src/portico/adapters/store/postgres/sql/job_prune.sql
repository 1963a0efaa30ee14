WITH gone AS (
    DELETE FROM {schema}.ended_job
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM {schema}.ended_job WHERE ended_at < $1::timestamptz AND status = ANY ($2::text[])
        ORDER BY ended_at LIMIT $3::bigint FOR UPDATE SKIP LOCKED
    ))
    RETURNING *
), outlived AS (
    UPDATE {schema}.job_key AS held SET status = gone.status, expires_at = gone.ended_at + $4::interval
    FROM gone
    WHERE held.queue_name = gone.queue_name AND held.key = gone.idempotency_key AND held.job_id = gone.id
    RETURNING gone.*, held.expires_at
), kept AS (
    INSERT INTO {schema}.gone_job (
        seq, id, queue_name, job_type, priority, status, max_retries, retry_count, crash_count, scheduled_at, created_at,
        started_at, ended_at, created_by, error_message, metadata, payload, result,
        expires_at
    )
    SELECT seq, id, queue_name, job_type, priority, status, max_retries, retry_count, crash_count, scheduled_at, created_at,
        started_at, ended_at, created_by, error_message, metadata, payload, result,
        expires_at
    FROM outlived
)
SELECT count(*) FROM gone
