-- `abort_requested` is noted on a running job, and goes with the run
ALTER TABLE portico_job ADD COLUMN abort_requested INTEGER NOT NULL DEFAULT 0;
CREATE INDEX portico_job_abort ON portico_job (id) WHERE abort_requested = 1;

-- counted by queue and status, and pruned by age
DROP INDEX portico_job_ended;
CREATE INDEX portico_job_ended ON portico_job (queue_name, status, coalesce(completed_at, failed_at)) WHERE state = 3;
