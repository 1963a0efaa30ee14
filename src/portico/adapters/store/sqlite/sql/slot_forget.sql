DELETE FROM portico_slot
WHERE NOT EXISTS (SELECT 1 FROM portico_slot_hold AS hold WHERE hold.slot = portico_slot.id)
    AND id NOT IN (SELECT slot FROM portico_parked)
