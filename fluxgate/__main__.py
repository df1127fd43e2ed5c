"""`python -m fluxgate`: the command line, once it is certain that it can run here."""

import sys

# The packages of this project: one of them missing is a fault of ours and no missing installation.
OURS = {"contract", "gateway", "workers", "lua", "sql", "fluxgate", "waiting_room"}


def main() -> None:
    """Run the command line, or say in one sentence why that is impossible."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file has to be readable for the very versions it refuses
        sys.exit("Flux-Gate needs Python 3.11 or newer, and this is %s.%s." % sys.version_info[:2])  # noqa: UP031
    try:
        from fluxgate.cli import main as command_line
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in OURS:
            raise
        sys.exit(f"The package {error.name} is not installed in {sys.prefix}: run `make up`, or `pip install -e .`.")
    except KeyboardInterrupt:
        # Ctrl-C so early that nothing has started; 130 is what a shell expects then.
        sys.exit(130)
    command_line()


if __name__ == "__main__":
    main()
