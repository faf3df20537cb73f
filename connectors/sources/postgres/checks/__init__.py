"""What must hold before a source is read: one list, each thing with the SQL that provides it."""
