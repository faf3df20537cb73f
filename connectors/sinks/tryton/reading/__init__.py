"""One look at a lot in Tryton, and what it says about where the goods are."""
