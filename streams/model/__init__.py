"""The nouns of a quality system as frozen values: facts, commands, states, ids."""
