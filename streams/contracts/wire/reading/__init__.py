"""Functions generated from a plan that read its values from bytes: all at once, or when used."""
