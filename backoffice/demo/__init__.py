"""The demo world: a simulated broker whose history and one live day are played through the real protocols.

    days, instruments, market, names   what there is to trade, when, at which prices, by whom
    clients, trading, money            what happens: positions, deposits, withdrawals, payouts
    faults                             what goes wrong, and which breaks that must cause
    writers, simulator                 how the outside world says it: files and a trade server
    house, people, player, desk        the product's own side: set up, read, reconciled, worked on
    checker                            planted against found

Everything comes from a seed and a date. The list of faults is a file that the product never reads.
"""
