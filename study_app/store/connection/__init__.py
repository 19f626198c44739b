"""The database: its URL, its transactions and the queue of writes."""
