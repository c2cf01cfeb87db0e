"""Use cases of reconciliation that stand behind four eyes."""
