"""The database: its URL, its transactions and the write queue."""
