"""The HTML pages that people see: values in, bytes out. ``rendering`` makes them, ``values`` says what of."""
