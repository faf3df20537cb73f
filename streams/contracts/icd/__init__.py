"""Interface documents: what two systems agreed on, as YAML, compared with what is running.

`document` holds the form, `loading` reads files with lines, `live` is what was found running,
`drift` and `access` compare, `words` tells two versions apart, `rendered` and `asyncapi` are for
readers.
"""
