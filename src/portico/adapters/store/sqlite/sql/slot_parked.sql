SELECT DISTINCT slot FROM portico_parked
