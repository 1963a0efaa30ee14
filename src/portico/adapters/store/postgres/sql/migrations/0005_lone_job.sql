-- For a row of `live_job` that a statement just inserted: fails where its job has ended. It looks with a snapshot of its
-- own, so also where that happened while the statement ran. `mode` is that of `commit_durably`.
CREATE FUNCTION {schema}.is_new(job_id uuid, mode text) RETURNS boolean LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $body$
BEGIN
    PERFORM {schema}.commit_durably(mode);
    IF EXISTS (SELECT FROM {schema}.ended_job WHERE id = job_id) THEN
        RAISE unique_violation USING MESSAGE = 'the job has ended';
    END IF;
    RETURN true;
END
$body$;
