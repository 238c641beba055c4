# The twin: what every board has frozen in, and the simulated ports (tools/twin.py).
include("$(MPY_DIR)/extmod/asyncio")
freeze("$(OBJECTS)/frozen")
