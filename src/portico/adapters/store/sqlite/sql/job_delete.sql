DELETE FROM portico_job WHERE id IN (VALUES /*row*/ (?))
