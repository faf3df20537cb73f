"""What an operator sets and watches: settings, logging, telemetry, health, clock."""
