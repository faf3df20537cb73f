"""The main job on the local stack: Lotgate's processes, the scenario, and what was seen."""
