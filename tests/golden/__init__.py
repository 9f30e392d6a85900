"""The compiler's output for representative queries, as text that a person reviews.

    shop.cases ─▶ compile ─▶ <name>.txt: query, strategy, algebra, delta, storage, program

`TRICKLE_GOLDEN=write pytest tests/golden` writes the texts anew; read the difference before you commit it.
"""
