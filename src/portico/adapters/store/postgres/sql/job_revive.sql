-- raises a unique violation when another live job has the unique key
WITH gone AS (
    DELETE FROM {schema}.ended_job WHERE id = $1::uuid AND status <> 'completed' RETURNING *
)
INSERT INTO {schema}.live_job (
    seq, id, queue_name, job_type, priority, max_retries, created_at, created_by, unique_key, idempotency_key,
    payload, metadata, partition_key, rank, state, run_at
)
SELECT seq, id, queue_name, job_type, priority, max_retries, created_at, created_by, unique_key, idempotency_key,
    payload, metadata, partition_key,
    coalesce({schema}.next_rank(queue_name, priority, partition_key, partition_key IS NOT NULL), 0), 0, coalesce($2::timestamptz, now())
FROM gone
RETURNING queue_name
