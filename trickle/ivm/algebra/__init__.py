"""Relational algebra over bags with weights (Z-sets), and the laws that keep its values equal.

In comes a tree of operators with every name resolved; out goes an equal tree in normal form: inner joins,
selections and projections fused into blocks, conditions low, unused columns gone. Nothing here knows SQL text
beyond the scalar expressions it carries, and nothing here knows change buffers.
"""
