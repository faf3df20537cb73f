"""What the commands of a person answer, and how they find it."""
