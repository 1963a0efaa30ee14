SELECT seq FROM portico_job WHERE id = ?
