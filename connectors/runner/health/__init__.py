"""How a connector tells how it is: probes and meters, from what its loop leaves to be read."""
