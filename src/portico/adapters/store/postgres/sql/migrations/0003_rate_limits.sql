-- How often a limit was taken, by when that leaves its window. Not logged: a crash of the server forgets the last
-- window, and no acquisition waits for the disk.
CREATE UNLOGGED TABLE {schema}.rate_use (
    key text COLLATE "C" NOT NULL,
    free_at timestamptz NOT NULL,
    uses bigint NOT NULL,
    PRIMARY KEY (key, free_at)
);
CREATE INDEX rate_use_free_at ON {schema}.rate_use (free_at);

-- Takes one of a limit, if there is one: how many are left, or NULL and when the next one passes.
CREATE FUNCTION {schema}.acquire_rate(
    wanted text, allowed bigint, window_length interval, step interval, moment timestamptz,
    OUT remaining bigint, OUT wait interval
) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $body$
DECLARE
    taken bigint;
    leaves timestamptz;
BEGIN
    -- one at a time for each key; the time is asked when it is this one's turn
    PERFORM pg_advisory_xact_lock(hashtextextended('{schema}.' || wanted, 0));
    moment := coalesce(moment, clock_timestamp());
    DELETE FROM {schema}.rate_use AS past WHERE past.key = wanted AND past.free_at <= moment;
    SELECT coalesce(sum(held.uses), 0) INTO taken FROM {schema}.rate_use AS held WHERE held.key = wanted;
    IF taken >= allowed THEN
        -- a limit that was lowered is met when all but `allowed - 1` are free
        SELECT min(running.free_at) INTO leaves FROM (
            SELECT held.free_at, sum(held.uses) OVER (ORDER BY held.free_at) AS freed
            FROM {schema}.rate_use AS held WHERE held.key = wanted
        ) AS running WHERE running.freed >= taken - allowed + 1;
        wait := leaves - moment;
        RETURN;
    END IF;
    leaves := moment + window_length;
    IF step > interval '0' THEN
        leaves := date_bin(step, leaves, timestamptz 'epoch');
        leaves := CASE WHEN leaves < moment + window_length THEN leaves + step ELSE leaves END;
    END IF;
    INSERT INTO {schema}.rate_use AS held (key, free_at, uses) VALUES (wanted, leaves, 1)
    ON CONFLICT (key, free_at) DO UPDATE SET uses = held.uses + 1;
    -- keys that nobody asks for again; those that somebody else is at are left to them
    DELETE FROM {schema}.rate_use WHERE (key, free_at) IN (
        SELECT stale.key, stale.free_at FROM {schema}.rate_use AS stale
        WHERE stale.free_at <= moment ORDER BY stale.free_at LIMIT 10 FOR UPDATE SKIP LOCKED
    );
    remaining := allowed - taken - 1;
END
$body$;
