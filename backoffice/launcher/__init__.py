"""Start-up: what `bo` does before and around Django.

Standard library only (but for sql.py, which the virtual environment's Python runs), because these modules make
the virtual environment. Nothing of the product imports them, and they import nothing of the product.
"""
