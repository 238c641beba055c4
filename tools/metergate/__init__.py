"""Host tools of the Metergate gateway. They use the firmware's own modules, so that both read the same bytes."""

from metergate import onpc

onpc.install()
