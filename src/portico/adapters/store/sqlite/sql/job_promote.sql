-- bounded: whoever claims does not wait for all that comes due at once
UPDATE portico_job SET state = 0
WHERE seq IN (SELECT seq FROM portico_job WHERE state = 1 AND queue_name = ? AND run_at <= ? ORDER BY run_at LIMIT 10000)
