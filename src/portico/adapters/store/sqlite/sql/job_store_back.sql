UPDATE portico_job
SET state = ?, status = ?, run_at = ?, retry_count = ?, crash_count = ?, scheduled_at = ?, started_at = ?,
    failed_at = ?, error_message = ?, lease_token = NULL, lease_expires_at = NULL, session = NULL,
    abort_requested = 0
WHERE id = ?
