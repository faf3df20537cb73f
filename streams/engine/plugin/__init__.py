"""Where the engine plugs into Faust: consumer, producer, worker, and how a process ends."""
