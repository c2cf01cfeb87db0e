"""The Merkle tree of RFC 6962, section 2.1, over leaf hashes.

A leaf is SHA-256(0x00 || content), a node SHA-256(0x01 || left || right). A level with an odd number of nodes hands
its last one up unchanged, which gives the same tree as the RFC's split at the largest power of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


def leaf(content: bytes) -> bytes:
    """The hash of one row's content."""
    return sha256(b"\x00" + content).digest()


def levels(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """All levels of the tree, leaves first, the root alone in the last. There is at least one leaf."""
    assert leaves, "a tree has a leaf"
    found = [leaves]
    while len(found[-1]) > 1:
        below = found[-1]
        above = [sha256(b"\x01" + below[i] + below[i + 1]).digest() for i in range(0, len(below) - 1, 2)]
        if len(below) % 2:
            above.append(below[-1])
        found.append(above)
    return found


def root(leaves: Sequence[bytes]) -> bytes:
    """The tree's root."""
    return levels(leaves)[-1][0]


def path(tree: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    """The inclusion proof of the leaf at `index`: the sibling on each level, where there is one."""
    found = []
    for level in tree[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            found.append(level[sibling])
        index //= 2
    return found
