"""The paper, in reading order: masks, eact, consistency, distances, elc, schedules; then expocm."""
