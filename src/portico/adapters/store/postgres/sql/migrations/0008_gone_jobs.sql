-- What is left of a job that is gone, for as long as its idempotency key is held: all that was forgotten, or all but payload
-- and result of what was deleted.
CREATE TABLE {schema}.gone_job (
    seq bigint NOT NULL,
    created_at timestamptz NOT NULL,
    scheduled_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    priority bigint NOT NULL,
    max_retries bigint NOT NULL,
    retry_count bigint NOT NULL,
    crash_count int NOT NULL,
    id uuid NOT NULL,
    created_by uuid,
    status text COLLATE "C" NOT NULL,
    queue_name text COLLATE "C" NOT NULL,
    job_type text NOT NULL,
    error_message text,
    payload json,
    metadata json NOT NULL,
    result json
);
CREATE INDEX gone_job_id ON {schema}.gone_job (id);
CREATE INDEX gone_job_expiry ON {schema}.gone_job (expires_at);
