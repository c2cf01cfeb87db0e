"""Who may do what: roles, forbidden pairs, grants by two people, waivers."""
