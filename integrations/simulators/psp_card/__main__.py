"""Run the simulator:

python -m integrations.simulators.psp_card --port N --secret-env NAME

The secret is the API key, and the key webhooks are signed with. Prints one line when it listens.
"""

from __future__ import annotations

import sys

from integrations.simulators.psp.launch import main
from integrations.simulators.psp_card import CardPsp

if __name__ == "__main__":
    sys.exit(main("psp_card", CardPsp))
