"""From a staging channel to production: who may publish what, and what becomes of a request."""
