-- Those of the jobs that are to be seen, and their queues.
CREATE FUNCTION {schema}.committed(ids uuid[]) RETURNS TABLE (job_id uuid, queue text) LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off
AS $body$
SELECT id, queue_name FROM {schema}.live_job WHERE id = ANY (ids)
$body$;
