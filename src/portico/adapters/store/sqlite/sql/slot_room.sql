SELECT slot.size, (
    SELECT count(*) FROM portico_slot_hold AS hold WHERE hold.slot = slot.id AND (hold.until IS NULL OR hold.until > ?)
)
FROM portico_slot AS slot WHERE slot.id = ?
