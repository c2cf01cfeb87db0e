"""How parts and finished requests are spelled for their seals. A request joins its stream when it is executed."""

PARTS = """
SELECT id AS key, json_build_object('id', id, 'request_id', request_id, 'person_id', person_id, 'part', part,
       'payload_hash', payload_hash, 'at', at, 'reason', reason)::text AS leaf
  FROM approvals_participation
"""
EXECUTED = """
SELECT id AS key, json_build_object('id', id, 'action', action, 'action_version', action_version,
       'payload', payload, 'payload_hash', payload_hash, 'entity_id', entity_id, 'maker_id', maker_id,
       'requested_at', requested_at, 'reason', reason, 'state', state, 'finished_at', finished_at,
       'result', result)::text AS leaf
  FROM approvals_request WHERE state = 'EXECUTED'
"""
