DELETE FROM portico_job WHERE id = ?
