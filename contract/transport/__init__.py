"""How commands and questions travel: connections to Redis, and the streams that workers consume."""

from contract.transport.bus import REPLY_FIELD, Settled, bury, find_reply, settle
from contract.transport.connections import open_line, open_redis
from contract.transport.line import Line, Listener
from contract.transport.mailbox import Mailbox
from contract.transport.questions import Asker, Question, answer_questions, read_questions
from contract.transport.redis_streams import Delivery, Stream

__all__ = [
    "REPLY_FIELD",
    "Asker",
    "Delivery",
    "Line",
    "Listener",
    "Mailbox",
    "Question",
    "Settled",
    "Stream",
    "answer_questions",
    "bury",
    "find_reply",
    "open_line",
    "open_redis",
    "read_questions",
    "settle",
]
