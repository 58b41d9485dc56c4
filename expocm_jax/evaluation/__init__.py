"""Methods on photos (`methods`), their `scoring` under `protocols`, and the `report` of it."""
