"""One cycle: poll, rules, one transaction, one write per store partition."""
