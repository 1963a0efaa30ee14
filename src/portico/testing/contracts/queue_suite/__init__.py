"""The parts of `JobQueueContract`, one subject each."""
