"""One connection to RabbitMQ."""
