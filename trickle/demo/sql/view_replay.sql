SELECT simulated_at, announced, departed, landed, cancelled, is_over FROM replay_progress
