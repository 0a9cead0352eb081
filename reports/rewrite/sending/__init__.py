"""How a statement is sent: chosen once per shape, through an execute wrapper."""
