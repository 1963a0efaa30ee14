UPDATE portico_job SET state = 0 WHERE state = 1 AND queue_name = ? AND run_at <= ?
