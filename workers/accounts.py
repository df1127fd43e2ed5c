"""What an account may be called and what a password may be, whoever makes it."""

import re

from workers.service import Refuse

EMAIL_CHARACTERS_MAX = 254
"""What SMTP can carry."""
PASSWORD_CHARACTERS_MIN = 8
PASSWORD_CHARACTERS_MAX = 128
PASSWORD_BYTES_MAX = 512
"""128 characters of any script; more would only cost time to hash."""
NAME_CHARACTERS_MAX = 64

# As browsers check <input type=email>: what mail servers take, and nothing that could end a header line.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_EMAIL = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

# The passwords of eight characters and more that lists of stolen ones have most often.
COMMON_PASSWORDS = frozenset(
    [
        "00000000",
        "0123456789",
        "0987654321",
        "10203040",
        "11111111",
        "111111111",
        "1111111111",
        "11223344",
        "1122334455",
        "12121212",
        "123123123",
        "1234567890",
        "12341234",
        "12344321",
        "12345678",
        "123456789",
        "1234567891",
        "123456789a",
        "1234qwer",
        "123qweasd",
        "147258369",
        "1q2w3e4r",
        "1q2w3e4r5t",
        "1qaz2wsx",
        "22222222",
        "55555555",
        "66666666",
        "77777777",
        "789456123",
        "87654321",
        "88888888",
        "987654321",
        "99999999",
        "a1234567",
        "a12345678",
        "a123456789",
        "aa123456",
        "aa12345678",
        "aaaaaaaa",
        "abc12345",
        "abcd1234",
        "abcdefgh",
        "admin123",
        "administrator",
        "alexander",
        "asdasdasd",
        "asdf1234",
        "asdfasdf",
        "asdfghjk",
        "asdfghjkl",
        "baseball",
        "basketball",
        "benjamin",
        "blink182",
        "bismillah",
        "changeme",
        "charlotte",
        "chocolate",
        "christian",
        "christopher",
        "computer",
        "corvette",
        "danielle",
        "dragon123",
        "elizabeth",
        "facebook",
        "football",
        "football1",
        "garfield",
        "gfhjkmkm",
        "hellohello",
        "iloveyou",
        "iloveyou1",
        "internet",
        "jennifer",
        "jonathan",
        "letmein1",
        "liverpool",
        "mercedes",
        "metallica",
        "michelle",
        "midnight",
        "minecraft",
        "monkey123",
        "mustang1",
        "myspace1",
        "natasha1",
        "passw0rd",
        "password",
        "password!",
        "password1",
        "password12",
        "password123",
        "password1234",
        "patricia",
        "pokemon1",
        "princess",
        "princess1",
        "q1w2e3r4",
        "q1w2e3r4t5",
        "qazwsxedc",
        "qwer1234",
        "qwerty12",
        "qwerty123",
        "qwerty1234",
        "qwertyui",
        "qwertyuiop",
        "rockstar",
        "samantha",
        "secret123",
        "spiderman",
        "starwars",
        "summer12",
        "sunshine",
        "sunshine1",
        "superman",
        "superman1",
        "swordfish",
        "target123",
        "test1234",
        "trustno1",
        "veronica",
        "victoria",
        "welcome1",
        "welcome123",
        "whatever",
        "william1",
        "zaq12wsx",
        "zxcvbnm1",
        "zxcvbnm123",
    ]
)


def check_email(text: str) -> str:
    """An address in the form in which it is kept. Raises Refuse (400) for what is none."""
    email = text.strip().lower()
    if len(email) > EMAIL_CHARACTERS_MAX or not _EMAIL.fullmatch(email):
        raise _wrong("INVALID_EMAIL", "The e-mail address must look like name@shop.example, in at most 254 characters.")
    return email


def check_password(password: str, email: str) -> str:
    """A new password. Raises Refuse (400) for one that is too short, too long, or the first that anybody tries."""
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX or is_too_long(password):
        raise _wrong("INVALID_PASSWORD", "The password must have 8 to 128 characters.")
    if password.lower() in COMMON_PASSWORDS or password.lower() in (email, email.partition("@")[0]):
        raise _wrong("INVALID_PASSWORD", "The password is one of the first that anybody tries; choose another.")
    return password


def is_too_long(password: str) -> bool:
    """Whether a password is longer than any that we took, so that it need not be hashed."""
    return len(password) > PASSWORD_CHARACTERS_MAX or len(password.encode()) > PASSWORD_BYTES_MAX


def check_name(name: str | None, what: str) -> str | None:
    """A name, or None for none. Raises Refuse (400) for one that is too long or has control characters."""
    name = (name or "").strip()
    if len(name) > NAME_CHARACTERS_MAX or _CONTROL.search(name):
        raise _wrong("INVALID_NAME", f"The {what} must have at most 64 characters, and no control characters.")
    return name or None


def nickname_of(nickname: str | None, email: str) -> str:
    """The nickname that somebody chose, or what the address begins with. Raises Refuse (400)."""
    return check_name(nickname, "nickname") or email.partition("@")[0]


def _wrong(code: str, sentence: str) -> Refuse:
    return Refuse(400, code, sentence, action="correct_request")
