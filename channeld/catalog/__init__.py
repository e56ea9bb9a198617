"""State in rows: channels, files, labels, views, tokens, audit. SQLite or PostgreSQL through SQLAlchemy Core."""
