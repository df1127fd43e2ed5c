"""Become another program: the last step before every child that we start, run as a script of its own.

    python -I -S launch.py <parent pid> <signal> <identity> <program> [argument ...]

It decides who the program runs as and ties its life to the parent's; then it replaces itself by the program, whose
process id is therefore the one that the parent knows. This happens here, and not between fork and exec in the parent,
because Python code is unsafe there as soon as the parent has a second thread.

The identities:
    same       the user we are
    namespace  root, seen as user 1000 in a user namespace of its own: Postgres refuses to run as root, and this way
               it neither runs as root nor loses its way to files that only root may reach
    nobody     root turned into the user `nobody`, where no user namespace is allowed, as in most containers
"""

import ctypes
import os
import pwd
import sys
from pathlib import Path

# From <linux/sched.h>.
CLONE_NEWUSER = 0x10000000
# Any number but 0 will do; the namespace holds nobody else.
UID_INSIDE = 1000


def enter_user_namespace() -> None:
    """Move this process into a user namespace in which it is not root."""
    uid, gid = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "no user namespace is allowed here")
    # The kernel accepts a map of groups from an unprivileged process only after setgroups has been given up.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{UID_INSIDE} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{UID_INSIDE} {gid} 1")


def become_nobody() -> None:
    """Give up root for good."""
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)


def main(arguments: list[str]) -> None:
    """Take on the identity, tie the life, become the program."""
    parent_pid, signum, identity, *program = arguments
    # `-I` keeps the working directory and all settings of Python out; our own packages are beside this one.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from contract.parent import die_with_parent

    if identity == "namespace":
        enter_user_namespace()
    elif identity == "nobody":
        become_nobody()
    die_with_parent(int(parent_pid), int(signum))
    os.execv(program[0], program)  # noqa: S606 - to start a program without a shell is the point


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        sys.exit(f"{sys.argv[4]} cannot be started: {error.strerror}.")
