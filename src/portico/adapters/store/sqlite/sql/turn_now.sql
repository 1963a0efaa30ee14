SELECT rank, partition_key FROM portico_job
WHERE state = 0 AND queue_name = ? AND priority = ? ORDER BY rank, seq LIMIT 1
