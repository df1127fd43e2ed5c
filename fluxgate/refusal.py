"""The one exception that means: the user can put this right, and the message says how."""


class Refusal(Exception):
    """Something that the user can put right, said in one sentence. The command line prints it and exits with 2."""
