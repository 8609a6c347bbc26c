"""Search algorithms: pure functions from a space and its history to a batch of proposals."""
