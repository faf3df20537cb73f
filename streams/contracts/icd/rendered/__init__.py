"""Interface documents for people: one layout, as a page and as a printed form."""
