"""When and where syncs run: the schedule, the life of a run, and the processes that do the work."""
