"""Pages of approvals: what waits, what exactly was asked, the decisions about it, and the rules behind them."""
