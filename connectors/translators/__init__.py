"""Mappings of systems' tables to canonical facts: pure rules, one package per system."""
