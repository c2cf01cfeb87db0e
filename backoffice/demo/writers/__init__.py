"""Files as the outside world sends them. Each format is written from its specification, not from our reader."""
