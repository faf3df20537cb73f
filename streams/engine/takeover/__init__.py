"""From asking the group for partitions to the first record of each: opened, restored, placed."""
