"""How a raw message is spelled for its seal. Its bytes are in the hash, which `verify` compares with them."""

RAW_MESSAGES = """
SELECT id AS key, json_build_object('id', id, 'entity_id', entity_id, 'connection_id', connection_id,
       'external_id', external_id, 'version', version, 'received_at', received_at, 'sha256', encode(sha256, 'hex'),
       'size', size, 'origin', origin)::text AS leaf
  FROM integrations_rawmessage
"""
