"""The ten roles of a broker's staff and what each may do; `manage load_roles` turns this into groups.

Codes and duties follow the usual split of a brokerage: who may ask is never who may agree, and the system
administrator has no hand on money. A permission is verb + object ("reconciliation.assign_break").
"""

from __future__ import annotations

from dataclasses import dataclass

# What everybody on the floor may look at; the administrator (SYS) may not.
LOOK: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Role:
    code: str
    title: str
    permissions: tuple[str, ...]


ROLES: tuple[Role, ...] = (
    Role("DLR", "Dealing and risk", (*LOOK,)),
    Role("FMK", "Finance maker", (*LOOK,)),
    Role("FAP", "Finance approver", (*LOOK,)),
    Role("PAY", "Payments", (*LOOK,)),
    Role("CMP", "Compliance", (*LOOK,)),
    Role("SUP", "Support", (*LOOK,)),
    Role("IBM", "IB manager", (*LOOK,)),
    Role("MGT", "Management", (*LOOK,)),
    Role("SYS", "System administration", ()),
    Role("AUD", "Auditor", (*LOOK,)),
)
