"""Where the CPU of one worker goes."""
