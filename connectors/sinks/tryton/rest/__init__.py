"""Tryton's REST API: where it is, how it is called, what its answers mean."""
