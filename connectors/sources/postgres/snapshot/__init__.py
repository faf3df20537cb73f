"""Reading tables as they are, without a gap and without a double where the log takes over.

Two ways, one kind of work (ranges of a table's key, read by COPY):

* The initial snapshot reads as of the slot's first position, on the snapshot which the server
  exports there, by several connections; the log is read behind it.
* Everything else is read while the log is streamed: a snapshot that an operator asked for, and what
  a broken initial one has left. A chunk is read in a transaction of its own, whose view of the
  running transactions is known. Its rows wait until the log has come to where the chunk ended; a
  row that a transaction changes which the chunk did not see goes out in front of that change.

Why the second way also finishes the first: an exported snapshot ends with its connection. The slot
and the chunks that are stored stay, the log is read from the slot's first position on, and what is
missing is read chunk by chunk. A row's reading then stands behind every change that it shows, and
in front of every change that it does not show, so that the records of a key, told in order, give
the table. A table without a key has no ranges: it is read whole, before the others, and while such
a table is not finished a broken snapshot begins again from zero.

Which rows are out is stored with the rows, in one Kafka transaction: the last key of each table,
and the keys that went out early from chunks that still wait. So nothing is read twice.
"""
