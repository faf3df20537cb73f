"""From the assignment of a partition to its first record: opened, restored, placed."""
