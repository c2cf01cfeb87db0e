-- The day from which the money of a PSP line may be had: for what comes out of a reserve, the day of its release.
-- NULL where the file does not say it, and in all rows from before (their hashes do not change: models/columns.py).
ALTER TABLE integrations_pspline ADD COLUMN available_on date;
