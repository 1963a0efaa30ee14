SELECT free_at FROM (
    SELECT free_at, sum(uses) OVER (ORDER BY free_at) AS freed FROM portico_rate_use WHERE key = ?
) WHERE freed >= ? ORDER BY free_at LIMIT 1
