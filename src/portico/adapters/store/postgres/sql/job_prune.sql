WITH gone AS (
    DELETE FROM {schema}.ended_job
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM {schema}.ended_job WHERE ended_at < $1::timestamptz AND status = ANY ($2::text[])
        ORDER BY ended_at LIMIT $3::bigint FOR UPDATE SKIP LOCKED
    ))
    RETURNING id, queue_name, idempotency_key, status, ended_at
), outlived AS (
    UPDATE {schema}.job_key AS held SET status = gone.status, expires_at = gone.ended_at + $4::interval
    FROM gone
    WHERE held.queue_name = gone.queue_name AND held.key = gone.idempotency_key AND held.job_id = gone.id
)
SELECT count(*) FROM gone
