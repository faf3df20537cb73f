"""A worker with the translation alone."""

from __future__ import annotations

from streams.agents import translate
from streams.app import application

app = application("translation")
translate.register(app)
