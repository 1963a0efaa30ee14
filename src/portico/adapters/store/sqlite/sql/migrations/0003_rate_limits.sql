-- How often a limit was taken, by when that leaves its window.
CREATE TABLE portico_rate_use (
    key TEXT NOT NULL,
    free_at INTEGER NOT NULL,
    uses INTEGER NOT NULL,
    PRIMARY KEY (key, free_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX portico_rate_use_free_at ON portico_rate_use (free_at);
