"""Merkle tree hashes of RFC 6962 (section 2.1): leaves, roots, inclusion and consistency proofs. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

Hash = bytes
NodeReader = Callable[[int, int], Hash]
"""Hash of the complete subtree of `2**level` leaves at `position` (counted in subtrees of that size)."""


def leaf_hash(data: bytes) -> Hash:
    """Hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: Hash, right: Hash) -> Hash:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def new_nodes(size: int, leaf: Hash, read: NodeReader) -> list[tuple[int, int, Hash]]:
    """The nodes that become complete when a leaf is appended to a tree of `size` leaves: (level, position, hash)."""
    nodes = [(0, size, leaf)]
    level, position, current = 0, size, leaf
    while position % 2:
        current = node_hash(read(level, position - 1), current)
        level, position = level + 1, position // 2
        nodes.append((level, position, current))
    return nodes


def root(size: int, read: NodeReader) -> Hash:
    """Root of the first `size` leaves."""
    return subtree(0, size, read)


def subtree(first: int, end: int, read: NodeReader) -> Hash:
    """Hash over the leaves `first` … `end - 1`; `first` is a multiple of the smallest power of two that covers them."""
    count = end - first
    if count == 0:
        return hashlib.sha256(b"").digest()
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return read(level, first >> level)
    split = first + (1 << ((count - 1).bit_length() - 1))
    return node_hash(subtree(first, split, read), subtree(split, end, read))


def inclusion_proof(leaf: int, size: int, read: NodeReader) -> list[Hash]:
    """Audit path of a leaf in the tree of the first `size` leaves (RFC 6962, 2.1.1)."""

    def path(index: int, first: int, end: int) -> list[Hash]:
        if end - first == 1:
            return []
        split = first + (1 << ((end - first - 1).bit_length() - 1))
        if index < split:
            return [*path(index, first, split), subtree(split, end, read)]
        return [*path(index, split, end), subtree(first, split, read)]

    if not 0 <= leaf < size:
        raise ValueError("leaf is not in the tree")
    return path(leaf, 0, size)


def root_from_inclusion(leaf: int, size: int, hash_of_leaf: Hash, proof: Sequence[Hash]) -> Hash:
    """The root that an audit path leads to (RFC 9162, 2.1.3.2).

    Raises:
        ValueError: the path does not have the length this place needs.
    """
    if not 0 <= leaf < size:
        raise ValueError("leaf is not in the tree")
    index, last, current = leaf, size - 1, hash_of_leaf
    for sibling in proof:
        if last == 0:
            raise ValueError("the proof is too long")
        if index % 2 or index == last:
            current = node_hash(sibling, current)
            while index % 2 == 0 and index:
                index, last = index >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        index, last = index >> 1, last >> 1
    if last != 0:
        raise ValueError("the proof is too short")
    return current
