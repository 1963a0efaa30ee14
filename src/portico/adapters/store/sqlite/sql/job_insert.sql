INSERT INTO portico_job (
    id, queue_name, job_type, priority, state, status, run_at, max_retries, scheduled_at, created_at, created_by,
    unique_key, payload, metadata, partition_key, rank
) VALUES /*row*/ (
    ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, ''), ?, nullif(?, ''), nullif(?, ''), ?, ?, ?, ?
)
