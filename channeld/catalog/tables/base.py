"""What all tables share."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Text in byte order.
Name = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
#: 64-bit integer; SQLite counts up by itself only in a column of type INTEGER.
Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
