-- the plus keeps the planner from walking all running jobs for each answer
WITH answer (id, token, result) AS (VALUES /*row*/ (?, ?, ?))
UPDATE portico_job
SET state = 3, status = 'completed', completed_at = ?, error_message = NULL, result = answer.result,
    lease_token = NULL, lease_expires_at = NULL, session = NULL, abort_requested = 0
FROM answer
WHERE portico_job.id = answer.id AND +portico_job.state = 2
    AND (answer.token IS NULL OR portico_job.lease_token = answer.token)
RETURNING portico_job.id
