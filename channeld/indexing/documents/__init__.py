"""The documents of a view: which sections each has, and which entry a file becomes in it."""
