"""The contracts between triggers, queues, handlers and the machinery; standard library only."""
