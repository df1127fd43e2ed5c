"""Which socket is at the other end of a connection, and who has it open, as Linux tells.

The kernel is asked for the one socket: its list of all of them is long after a crowd has come and gone, and takes the
better part of a second to read.
"""

import contextlib
import os
import socket
import stat
import struct

from bench.loopback import LOOPBACK

# From <linux/netlink.h>, <linux/sock_diag.h> and <linux/inet_diag.h>.
NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 1
# Length, type, flags, sequence number, port of the sender.
MESSAGE = struct.Struct("=IHHII")
# Family, protocol, extensions, padding, states; then the socket: ports and addresses, interface, cookie.
QUESTION = struct.Struct("=BBBBI")
SOCKET = struct.Struct("!HH16s16s12s")
ANY_STATE = 0xFFFFFFFF
# No interface, no cookie.
ANY_ONE = bytes(4) + b"\xff" * 8
# Where the answer has the socket's inode: behind message, four single bytes, socket, and four numbers.
INODE = struct.Struct("=I")
INODE_AT = MESSAGE.size + 4 + SOCKET.size + 4 * 4
ANSWER_BYTES_MAX = 4096


def client_socket(client_port: int, server_port: int) -> int:
    """The inode of the client's socket of a connection on loopback; 0 when there is none any more."""
    address = socket.inet_aton(LOOPBACK)
    asked = SOCKET.pack(client_port, server_port, address, address, ANY_ONE)
    question = QUESTION.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, ANY_STATE) + asked
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
        size = MESSAGE.size + len(question)
        kernel.send(MESSAGE.pack(size, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0) + question)
        answer = kernel.recv(ANSWER_BYTES_MAX)
    found = MESSAGE.unpack_from(answer)[1] == SOCK_DIAG_BY_FAMILY
    return INODE.unpack_from(answer, INODE_AT)[0] if found else 0


def holds(pid: int, inode: int) -> bool:
    """Whether a process has this socket open."""
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as files:
        for file in files:
            # One that is closed meanwhile is not the one that is looked for.
            with contextlib.suppress(OSError):
                found = file.stat()
                if found.st_ino == inode and stat.S_ISSOCK(found.st_mode):
                    return True
    return False
