SELECT max(rank) FROM portico_job WHERE state < 2 AND queue_name = ? AND priority = ? AND partition_key = ?
