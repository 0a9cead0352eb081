"""A statement's text: its tokens, SELECTs, expressions; how it is printed."""
