DELETE FROM portico_slot_hold WHERE until IS NOT NULL AND until <= ? RETURNING slot
