-- `live_job` holds what is unfinished and stays small, `ended_job` is appended to; the view `job` shows both.
-- `state` is what claims look at: 0 ready, 1 waits for its time (run_at), 2 running; statuses follow from the counts.
-- Keys are compared as bytes: cheaper, and the same under every collation of the database.
CREATE SEQUENCE {schema}.job_seq;

CREATE TABLE {schema}.live_job (
    seq bigint NOT NULL,
    run_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    scheduled_at timestamptz,
    started_at timestamptz,
    lease_expires_at timestamptz,
    lease_token bigint,
    session bigint,
    priority bigint NOT NULL,
    max_retries bigint NOT NULL,
    retry_count bigint NOT NULL DEFAULT 0,
    crash_count int NOT NULL DEFAULT 0,
    state smallint NOT NULL,
    abort_requested boolean NOT NULL DEFAULT false,
    id uuid PRIMARY KEY,
    created_by uuid,
    queue_name text COLLATE "C" NOT NULL,
    job_type text NOT NULL,
    unique_key text COLLATE "C",
    idempotency_key text COLLATE "C",
    error_message text,
    payload json NOT NULL,
    metadata json NOT NULL
) WITH (
    fillfactor = 80, vacuum_truncate = off,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000
);
CREATE INDEX live_job_ready ON {schema}.live_job (queue_name, priority DESC, seq) WHERE state = 0;
CREATE INDEX live_job_later ON {schema}.live_job (queue_name, run_at) WHERE state = 1;
CREATE INDEX live_job_running ON {schema}.live_job (lease_expires_at) WHERE state = 2;
CREATE INDEX live_job_seq ON {schema}.live_job (seq);
CREATE UNIQUE INDEX live_job_unique ON {schema}.live_job (queue_name, unique_key) WHERE unique_key IS NOT NULL;

-- no id is in both tables, nor twice in this one: `enqueue` sees to it
CREATE TABLE {schema}.ended_job (
    seq bigint NOT NULL,
    created_at timestamptz NOT NULL,
    scheduled_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz NOT NULL,
    lease_token bigint,
    priority bigint NOT NULL,
    max_retries bigint NOT NULL,
    retry_count bigint NOT NULL,
    crash_count int NOT NULL,
    id uuid NOT NULL,
    created_by uuid,
    status text COLLATE "C" NOT NULL,
    queue_name text COLLATE "C" NOT NULL,
    job_type text NOT NULL,
    unique_key text COLLATE "C",
    idempotency_key text COLLATE "C",
    error_message text,
    payload json NOT NULL,
    metadata json NOT NULL,
    result json
);
CREATE INDEX ended_job_id ON {schema}.ended_job (id);
CREATE INDEX ended_job_seq ON {schema}.ended_job (seq);
CREATE INDEX ended_job_time ON {schema}.ended_job (ended_at);
CREATE INDEX ended_job_status ON {schema}.ended_job (queue_name, status);

CREATE VIEW {schema}.job AS
SELECT id, queue_name, job_type, priority,
    CASE WHEN state = 2 THEN 'running' WHEN retry_count + crash_count > 0 THEN 'retrying'
        WHEN scheduled_at IS NULL THEN 'pending' ELSE 'scheduled' END AS status,
    max_retries, retry_count, crash_count, scheduled_at, created_at, started_at,
    NULL::timestamptz AS completed_at, NULL::timestamptz AS failed_at,
    created_by, error_message, payload, metadata, NULL::json AS result, seq
FROM {schema}.live_job
UNION ALL
SELECT id, queue_name, job_type, priority, status,
    max_retries, retry_count, crash_count, scheduled_at, created_at, started_at,
    CASE WHEN status = 'completed' THEN ended_at END, CASE WHEN status <> 'completed' THEN ended_at END,
    created_by, error_message, payload, metadata, result, seq
FROM {schema}.ended_job;

-- status and expires_at are set when the job itself is gone
CREATE TABLE {schema}.job_key (
    queue_name text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    job_id uuid NOT NULL,
    status text,
    expires_at timestamptz,
    PRIMARY KEY (queue_name, key)
);
CREATE INDEX job_key_expiry ON {schema}.job_key (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE {schema}.paused_queue (queue_name text COLLATE "C" PRIMARY KEY);

-- versions grow over all values, so that a value that is deleted and made again never repeats one
CREATE SEQUENCE {schema}.trigger_version;
CREATE TABLE {schema}.trigger_value (
    trigger_name text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    value json NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (trigger_name, key)
);
CREATE TABLE {schema}.trigger_lease (
    trigger_name text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    holder text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (trigger_name, key)
);

CREATE TABLE {schema}.event (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    received_at timestamptz NOT NULL,
    trigger_name text COLLATE "C" NOT NULL,
    outcome text NOT NULL,
    reason text,
    source_id text,
    job_ids uuid[] NOT NULL,
    headers json NOT NULL,
    body bytea
);
CREATE INDEX event_trigger ON {schema}.event (trigger_name, seq);
CREATE INDEX event_received ON {schema}.event (received_at);
