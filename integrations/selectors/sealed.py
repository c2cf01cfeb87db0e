"""How raw messages and webhooks are spelled for their seal. Their bytes are in the hash, which `verify` compares."""

RAW_MESSAGES = """
SELECT id AS key, json_build_object('id', id, 'entity_id', entity_id, 'connection_id', connection_id,
       'external_id', external_id, 'version', version, 'received_at', received_at, 'sha256', encode(sha256, 'hex'),
       'size', size, 'origin', origin)::text AS leaf
  FROM integrations_rawmessage
"""
WEBHOOKS = """
SELECT id AS key, json_build_object('id', id, 'entity_id', entity_id, 'connection_id', connection_id,
       'provider', provider, 'item', item, 'event_id', event_id, 'verdict', verdict, 'received_at', received_at,
       'sha256', encode(sha256, 'hex'), 'size', size, 'headers', headers)::text AS leaf
  FROM integrations_webhook
"""
