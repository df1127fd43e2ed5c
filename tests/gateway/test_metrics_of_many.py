"""Several gateway processes on one port: whichever is asked tells what all of them have counted."""

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from chaos.waiting import until
from contract.settings import Settings
from tests.support.http import get
from tests.support.processes import running_gateway


async def test_metrics_hold_the_counts_of_every_process_on_the_port(settings: Settings) -> None:
    async with running_gateway(msgspec.structs.replace(settings, gateway_workers=2)) as gateway:

        async def both_told() -> bool:
            # Each connection meets one of the two, by chance of the kernel.
            await get(gateway.port, "/livez")
            families = text_string_to_metric_families((await get(gateway.port, "/metrics")).body.decode())
            samples = [sample for family in families for sample in family.samples]
            counted = {
                sample.labels["process"]
                for sample in samples
                if sample.name == "fluxgate_http_requests_total" and sample.labels["route"] == "/livez"
            }
            return len(counted) == 2

        await until(both_told, within_s=20)
