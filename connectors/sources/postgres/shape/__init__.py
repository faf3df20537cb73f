"""What a row becomes: types, values, records, ids."""
