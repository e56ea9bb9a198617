"""What conda says: names, archives, records, documents. Pure: bytes in, values out."""
