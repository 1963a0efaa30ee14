UPDATE portico_job SET state = -1, parked_for = ? WHERE seq = ?
