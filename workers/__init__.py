"""The asynchronous side: processes that drain the streams and write Postgres. They meet through messages only."""
