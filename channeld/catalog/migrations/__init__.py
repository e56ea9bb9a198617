"""The catalog's tables, as the steps that lead to them. ``catalog.schema`` runs them.

SQLite changes a table by making it anew (``op.batch_alter_table``), and that knows neither AUTOINCREMENT nor WITHOUT
ROWID: a step passes both in ``table_kwargs``. A contract test compares where the steps lead with ``catalog.tables``.
"""
