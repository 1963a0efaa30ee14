SELECT seq FROM portico_event WHERE id = ?
