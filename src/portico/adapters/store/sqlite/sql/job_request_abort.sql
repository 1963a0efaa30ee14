UPDATE portico_job SET abort_requested = 1 WHERE id = ? AND +state = 2 RETURNING queue_name
