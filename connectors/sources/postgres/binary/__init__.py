"""The server's binary forms: read as its text, or written as Avro by code made per table."""
