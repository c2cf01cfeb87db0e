"""Use cases of money that stand behind four eyes."""
