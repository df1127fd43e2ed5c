"""The commands that run what plays another party's part."""

import typer

from fluxgate.cli_common import example, given_settings

sandbox = typer.Typer(help="Run what plays another party's part.", no_args_is_help=True)


@sandbox.command("g2a", epilog=example("FLUXGATE_G2A_SANDBOX_PRODUCTS=100000 fluxgate sandbox g2a"))
def sandbox_g2a() -> None:
    """Play G2A, on loopback, until ctrl-C: a catalogue, orders, keys, webhooks, and every fault on request."""
    from fluxgate.sandbox.g2a.process import serve

    serve(given_settings())


@sandbox.command("amazon", epilog=example("FLUXGATE_AMAZON_SANDBOX_PORT=5011 fluxgate sandbox amazon"))
def sandbox_amazon() -> None:
    """Play Amazon, on loopback, until ctrl-C: claims, inventory, orders, true rates, and every fault on request."""
    from fluxgate.sandbox.amazon.process import serve

    serve(given_settings())


@sandbox.command("goated", epilog=example("FLUXGATE_GOATED_SANDBOX_USERS=100000 fluxgate sandbox goated"))
def sandbox_goated() -> None:
    """Play Goated, on loopback, until ctrl-C: a leaderboard that grows, its resets, and every fault on request."""
    from fluxgate.sandbox.goated.process import serve

    serve(given_settings())


@sandbox.callback()
def sandbox_help() -> None:
    """Run what plays another party's part."""
