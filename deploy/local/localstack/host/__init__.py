"""What the stack needs of the machine: processes, ports, users, and files from elsewhere."""
