-- A deal matches once. Its fill may come later than the first run.
CREATE TABLE reconciliation_tradematch (
    entity_id  bigint NOT NULL,
    deal_id    bigint NOT NULL,
    listing_id bigint,
    fill_id    bigint,
    run_id     bigint NOT NULL,
    PRIMARY KEY (entity_id, deal_id)
);
