-- what an idempotency key answers with when its job is gone; without a payload where the job was deleted on purpose
CREATE TABLE portico_gone_job (
    id BLOB PRIMARY KEY,
    queue_name TEXT NOT NULL,
    job_type TEXT NOT NULL,
    priority INTEGER NOT NULL,
    status TEXT NOT NULL,
    max_retries INTEGER NOT NULL,
    retry_count INTEGER NOT NULL,
    crash_count INTEGER NOT NULL,
    scheduled_at INTEGER,
    created_at INTEGER,
    started_at INTEGER,
    completed_at INTEGER,
    failed_at INTEGER,
    created_by BLOB,
    error_message TEXT,
    payload TEXT,
    metadata TEXT NOT NULL,
    result TEXT,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX portico_gone_job_expiry ON portico_gone_job (expires_at);

-- failures are listed among many more that went well
CREATE INDEX portico_job_failed ON portico_job (status, seq) WHERE state = 3 AND status <> 'completed';
