"""The reference job on other engines, each at its best and by its own documentation."""
