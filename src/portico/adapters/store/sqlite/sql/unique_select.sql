-- the cross join keeps the order: each name is looked up, never the table walked
WITH asked (queue_name, key) AS (VALUES /*row*/ (?, ?))
SELECT live.queue_name, live.unique_key, live.id
FROM asked
CROSS JOIN portico_job AS live ON live.queue_name = asked.queue_name AND live.unique_key = asked.key
WHERE live.unique_key IS NOT NULL AND live.state < 3
