"""From a source's transactions to canonical facts: the part that is the same for every system.

One record of the input is one database transaction, or a chunk of it. The rule keeps the chunks of
a big transaction until the last, coalesces the whole per row (first image before, last image
after), keeps the images, hands both to the system's translator and stamps what comes back.

Nothing is said twice, whatever is delivered twice: a row change at or below the position of the
row's image is not applied again, and a fact that says no more than the last one of its subject is
dropped. Transactions in Kafka already hide duplicates; this is the second line of defence.
"""

from __future__ import annotations

from streams.rules.translation.rows import EntryView
from streams.rules.translation.rule import translate

__all__ = ["EntryView", "translate"]
