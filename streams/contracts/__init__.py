"""Wire forms: schemas, codecs, topics, and how they may change."""
