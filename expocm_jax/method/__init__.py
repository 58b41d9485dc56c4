"""The paper, in reading order: masks, eact, consistency, losses, schedules; expocm binds them."""
