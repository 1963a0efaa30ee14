SELECT DISTINCT session FROM portico_job WHERE state = 2 AND session <> ?
