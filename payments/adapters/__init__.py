"""Forms of payment files that banks take and give: pure, told the time by their callers."""
