-- from one name to the next by the index: the ended jobs themselves are not walked
WITH RECURSIVE queue (name) AS (
    SELECT min(queue_name) FROM portico_job WHERE state = 3
    UNION ALL
    SELECT (SELECT min(queue_name) FROM portico_job WHERE state = 3 AND queue_name > queue.name)
    FROM queue WHERE queue.name IS NOT NULL
)
SELECT name FROM queue WHERE name IS NOT NULL
