DELETE FROM portico_rate_use WHERE free_at <= ?
