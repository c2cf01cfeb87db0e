"""Who somebody is: second factor, sessions, lock-out, step-up."""
