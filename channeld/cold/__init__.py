"""Cold paths: many packages that lie in a folder, read with every core: ``channeld index`` and ``channeld import``."""
