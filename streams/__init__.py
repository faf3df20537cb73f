"""What Lotgate decides: facts come in, rules give verdicts, commands go out."""
