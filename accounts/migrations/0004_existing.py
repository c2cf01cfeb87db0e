"""What the new tables say about what is there already: caps, periods, moments, and the state servers should hold."""

from django.db import migrations

# ESMA Decision (EU) 2019/679, Annex I; FCA COBS 22.5.11: retail clients. Professional clients have no cap by rule.
CAPS = """
INSERT INTO accounts_leveragecap (entity_id, category, instrument_class, leverage) VALUES
    (NULL, 'RETAIL', 'FX_MAJOR', 30), (NULL, 'RETAIL', 'FX_MINOR', 20), (NULL, 'RETAIL', 'COMMODITY', 10),
    (NULL, 'RETAIL', 'EQUITY', 5), (NULL, 'RETAIL', 'CRYPTO', 2);
INSERT INTO accounts_lifecyclerule (entity_id, review_hours, dormant_months, notice_days, document_grace_days,
                                    retention_years)
VALUES (NULL, 24, 12, 30, 14, 5);
"""
EXISTING = """
UPDATE accounts_client SET status_at = opened_at;
UPDATE accounts_historicalclient SET status_at = opened_at;
INSERT INTO accounts_desiredstate (account_id, enabled, trading, "group", leverage, original_group, original_leverage,
                                   changed_at, command_key, confirmed_at)
SELECT id, true, true, "group", leverage, '', 0, opened_at, '', opened_at FROM accounts_tradingaccount;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_lifecycle")]
    operations = [
        migrations.RunSQL(CAPS, migrations.RunSQL.noop),
        migrations.RunSQL(EXISTING, migrations.RunSQL.noop),
    ]
