"""How commands and questions travel: connections to Redis, and the streams that workers consume."""

from contract.transport.connections import open_line, open_redis
from contract.transport.line import Line, Listener
from contract.transport.questions import Asker, Question, answer_questions, read_questions
from contract.transport.redis_streams import Delivery, Stream

__all__ = [
    "Asker",
    "Delivery",
    "Line",
    "Listener",
    "Question",
    "Stream",
    "answer_questions",
    "open_line",
    "open_redis",
    "read_questions",
]
