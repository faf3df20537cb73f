"""What a source promises its readers: shapes with a history, changes of them, refused schemas."""
