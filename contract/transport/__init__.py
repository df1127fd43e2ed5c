"""How commands travel: connections to Redis, and the streams that workers consume."""

from contract.transport.connections import open_redis
from contract.transport.redis_streams import Delivery, Stream

__all__ = ["Delivery", "Stream", "open_redis"]
