-- Times are microseconds since 1970 in UTC. `state` is what claims look at: 0 ready, 1 waits for its time (run_at),
-- 2 running, 3 ended; `status` is what the port says.
CREATE TABLE portico_job (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    queue_name TEXT NOT NULL,
    job_type TEXT NOT NULL,
    priority INTEGER NOT NULL,
    state INTEGER NOT NULL,
    status TEXT NOT NULL,
    run_at INTEGER NOT NULL,
    max_retries INTEGER NOT NULL,
    retry_count INTEGER NOT NULL DEFAULT 0,
    crash_count INTEGER NOT NULL DEFAULT 0,
    lease_token INTEGER,
    lease_expires_at INTEGER,
    session TEXT,
    scheduled_at INTEGER,
    created_at INTEGER,
    started_at INTEGER,
    completed_at INTEGER,
    failed_at INTEGER,
    created_by BLOB,
    unique_key TEXT,
    error_message TEXT,
    payload TEXT NOT NULL,
    metadata TEXT NOT NULL,
    result TEXT
) STRICT;
CREATE INDEX portico_job_ready ON portico_job (queue_name, priority DESC, seq) WHERE state = 0;
CREATE INDEX portico_job_later ON portico_job (queue_name, run_at) WHERE state = 1;
CREATE INDEX portico_job_running ON portico_job (lease_expires_at) WHERE state = 2;
CREATE INDEX portico_job_ended ON portico_job (queue_name, status) WHERE state = 3;
CREATE UNIQUE INDEX portico_job_unique ON portico_job (queue_name, unique_key)
    WHERE unique_key IS NOT NULL AND state < 3;

-- status and expires_at are set when the job itself is gone
CREATE TABLE portico_job_key (
    queue_name TEXT NOT NULL,
    key TEXT NOT NULL,
    job_id BLOB NOT NULL,
    status TEXT,
    expires_at INTEGER,
    PRIMARY KEY (queue_name, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX portico_job_key_expiry ON portico_job_key (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE portico_paused_queue (queue_name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TABLE portico_trigger_value (
    trigger_name TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (trigger_name, key)
) STRICT, WITHOUT ROWID;

-- one row: versions grow over all values, so that a value that is deleted and made again never repeats one
CREATE TABLE portico_trigger_version (latest INTEGER NOT NULL) STRICT;
INSERT INTO portico_trigger_version (latest) VALUES (0);

CREATE TABLE portico_trigger_lease (
    trigger_name TEXT NOT NULL,
    key TEXT NOT NULL,
    holder TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (trigger_name, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE portico_event (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    trigger_name TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT,
    source_id TEXT,
    job_ids TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB
) STRICT;
CREATE INDEX portico_event_trigger ON portico_event (trigger_name, seq);
CREATE INDEX portico_event_received ON portico_event (received_at);
