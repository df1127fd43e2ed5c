"""The HTTP side: stateless processes that talk to clients and Redis, and never to Postgres."""
