"""What people are called: some alike, some in letters that not everybody expects."""

FIRST = (
    "lucky",
    "silent",
    "golden",
    "rapid",
    "cosmic",
    "velvet",
    "iron",
    "frosty",
    "crimson",
    "sleepy",
    "grand",
    "wild",
)
SECOND = ("otter", "falcon", "badger", "comet", "walrus", "ace", "pirate", "yak", "wizard", "gecko", "baron", "mole")
RARE = (
    "<b>bold</b>",
    "<script>alert(1)</script>",
    "\N{ROCKET}\N{GAME DIE} roller \N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET}",
    "\u05e9\u05dc\u05d5\u05dd 7",
    "\u0645\u0631\u062d\u0628\u0627",
    "\u202eleft over right",
    "x",
    "\u5c71\u7530\u592a\u90ce",
    'quote"s \\ and, commas',
    "Zoe\u0308 & Zo\u00eb",
    "  two  spaces ",
    "' OR 1=1 --",
)
RARE_EVERY = 17
"""One of so many has a rare name."""
ALIKE_EVERY = 23
"""One of so many is called as all those are."""


def name_of(number: int, chance: bytes) -> str:
    """What somebody is called."""
    if number % RARE_EVERY == 5:
        return RARE[number // RARE_EVERY % len(RARE)]
    if number % ALIKE_EVERY == 7:
        return "player"
    suffix = "" if chance[2] % 4 == 0 else f"{int.from_bytes(chance[3:5], 'big') % 10_000}"
    return f"{FIRST[chance[0] % len(FIRST)]}{SECOND[chance[1] % len(SECOND)]}{suffix}"
