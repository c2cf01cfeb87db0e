"""Our work beside a stated reference: same data, same machine, same run. Ratios count, not the clock.

`python3 bo bench [NAME...]` prints the tables of docs/benchmarks.md. Nothing of the product imports this.
"""
