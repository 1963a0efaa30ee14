"""One schema of a PostgreSQL database: a pool, a doorbell, and what is built on them."""
