"""The edge that speaks HTTP: it translates, and leaves the rules to the layers below."""
