"""The settings, from three sources, each stronger than the one before it.

1. The defaults in ``channeld.settings.sections``, which is the reference as well.
2. One settings file in TOML, with the sections and keys of that module.
3. The environment: ``CHANNELD_<SECTION>__<KEY>`` in capitals, with two underscores between section and key
   (``CHANNELD_SERVER__PORT=9000``). A list is written with commas between its texts, and empty for none.

What is not known is an error that names the nearest known key. Paths that are not absolute start at the folder in
which channeld is started.
"""

from channeld.settings.loading import load
from channeld.settings.sections import Settings

__all__ = ["Settings", "load"]
