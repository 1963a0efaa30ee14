SELECT coalesce(sum(uses), 0) FROM portico_rate_use WHERE key = ?
