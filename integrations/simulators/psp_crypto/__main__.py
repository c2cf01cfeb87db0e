"""Run the simulator:

python -m integrations.simulators.psp_crypto --port N --secret-env NAME

The key is "simulated", the secret signs calls and callbacks. Prints one line when it listens.
"""

from __future__ import annotations

import sys

from integrations.simulators.psp.launch import main
from integrations.simulators.psp_crypto import CryptoPsp

if __name__ == "__main__":
    sys.exit(main("psp_crypto", CryptoPsp))
