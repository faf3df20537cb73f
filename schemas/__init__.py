"""What Lotgate promises: Avro schemas, data only.

`avro/<domain>/<name>.v<N>.avsc`. A published file never changes; a new version is a new file
that stays fully (transitively) compatible with all earlier ones. Full names carry no version.
"""
