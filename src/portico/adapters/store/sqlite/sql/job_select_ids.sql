SELECT id FROM portico_job WHERE id IN (VALUES /*row*/ (?))
