"""Training, the same for every task: the loop, optimizers, schedules, meters and exact resume."""
