"""Frozen values to Avro bytes and back, by code generated once for each type.

`plan` matches a Python type with a schema, `writing` and `reading` turn the plan into functions.
There is no dictionary in between: on the engine's hot path the codec is most of the cost.
"""
