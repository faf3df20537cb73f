"""Target systems: each acts, and reads back what it did."""
