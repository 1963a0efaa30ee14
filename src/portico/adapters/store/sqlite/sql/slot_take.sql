INSERT INTO portico_slot_hold (slot, job_id, until) VALUES (?, ?, ?)
