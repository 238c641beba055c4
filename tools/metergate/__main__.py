import sys

from metergate.cli import main

sys.exit(main())
