SELECT EXISTS (
    SELECT 1 FROM portico_job WHERE partition_key IS NOT NULL AND state < 2 AND queue_name = ?
)
