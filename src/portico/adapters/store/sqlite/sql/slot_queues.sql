-- from one queue to the next by the index: the parked jobs themselves are not walked
WITH RECURSIVE queue (name) AS (
    SELECT min(queue_name) FROM portico_job WHERE state = -1
    UNION ALL
    SELECT (SELECT min(queue_name) FROM portico_job WHERE state = -1 AND queue_name > queue.name)
    FROM queue WHERE queue.name IS NOT NULL
)
SELECT name FROM queue
WHERE EXISTS (SELECT 1 FROM portico_job WHERE state = -1 AND queue_name = queue.name AND parked_for = ?)
