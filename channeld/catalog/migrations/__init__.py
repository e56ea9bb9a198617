"""The catalog's tables, as the steps that lead to them. ``catalog.schema`` runs them."""
