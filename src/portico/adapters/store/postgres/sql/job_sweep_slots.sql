SELECT DISTINCT came_back_to FROM {schema}.sweep_slots(coalesce($1::timestamptz, now())) AS came_back_to
