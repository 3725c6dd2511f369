"""How well the tasks do their jobs: one file a job, run by benchmarks/tasks.py."""
