"""Pages of the outside world."""
