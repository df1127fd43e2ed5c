"""People at a flash sale: who order, double-click, retry, get diverted and wait, look, and sometimes cancel.

    make load        opens locust's page on loopback; or without the page:
    locust -f bench/locustfile.py --host http://127.0.0.1:3000 --headless --users 50 --run-time 30s

It opens a sale of its own first (`--stock 0` leaves the sale alone). A diversion (302), a sold-out sale (409) and a
refusal (429) are right answers; a 5xx and a wrong body are failures. Load goes to this machine only and is bounded.
"""

import random
import socket
import uuid
from argparse import ArgumentParser
from contextlib import closing

import gevent
from locust import FastHttpUser, between, events, task
from locust.contrib.fasthttp import ResponseContextManager
from locust.env import Environment
from locust.exception import RescheduleTask, StopUser

from bench.loopback import LOOPBACK, HostRefusedError, loopback_port
from bench.requests import order_bytes
from bench.sale import SaleRefusedError, open_sale

# How often people do what, as parts of one whole.
ORDER, DOUBLE_CLICK, LOSE_CONNECTION, LOOK, CANCEL = 50, 10, 10, 20, 10
# Seconds between two things that one person does, and before a diverted person comes back.
PAUSE_S = between(0.5, 2.0)
DIVERTED_S = (1.0, 3.0)
# How often a diverted person comes back before they give up.
RETURNS_MAX = 20
# Nobody runs this for longer, or with more people, by mistake.
RUN_MAX_S = 900
PEOPLE_MAX = 5000
REPLY_MAX_S = 10.0

Reply = dict[str, object]


@events.init_command_line_parser.add_listener
def add_arguments(parser: ArgumentParser) -> None:
    """The fields that locust's page and command line offer besides its own."""
    parser.add_argument("--product", default="locust-phone", help="the product that people want")
    parser.add_argument("--stock", type=int, default=1000, help="units of the sale that is opened; 0 opens none")
    parser.add_argument(
        "--admin-key", default="", is_secret=True, help="X-Admin-Key for opening the sale, if asked for"
    )


@events.test_start.add_listener
def begin(environment: Environment, **_: object) -> None:
    """Refuse every host but this machine, open the sale, and set the end of the run."""
    asked = environment.parsed_options
    try:
        port = loopback_port(environment.host or "")
        if asked.stock > 0:
            open_sale(port, asked.product, asked.stock, asked.admin_key)
    except (HostRefusedError, SaleRefusedError) as error:
        print(error)
        environment.process_exit_code = 1
        environment.runner.quit()
        return
    gevent.spawn_later(RUN_MAX_S, environment.runner.stop)


class Person(FastHttpUser):
    """One buyer with one keep-alive connection; a second one for the second click."""

    wait_time = PAUSE_S
    network_timeout = REPLY_MAX_S
    connection_timeout = REPLY_MAX_S

    def on_start(self) -> None:
        """Take a name. Nobody is let in who is one too many, or would go to another host."""
        try:
            self.port = loopback_port(self.host or "")
        except HostRefusedError:
            raise StopUser from None
        if self.environment.runner.user_count > PEOPLE_MAX:
            raise StopUser
        self.product = self.environment.parsed_options.product
        self.name = f"buyer-{uuid.uuid4().hex[:12]}"
        self.orders: list[str] = []

    @task(ORDER)
    def order(self) -> None:
        """Order one unit; if diverted, wait in the waiting room and come back with the same key."""
        self._order_until_answered(str(uuid.uuid4()), "order")

    @task(DOUBLE_CLICK)
    def double_click(self) -> None:
        """Send the same key twice at once; both answers must speak of the same order."""
        key = str(uuid.uuid4())
        clicks = [gevent.spawn(self._order, key, "order, double-click") for _ in range(2)]
        gevent.joinall(clicks)
        ids = {reply["orderId"] for click in clicks if (reply := click.value) and "orderId" in reply}
        if len(ids) > 1:
            _fail(self.environment, "order, double-click", f"one key made two orders: {', '.join(map(str, ids))}")

    @task(LOSE_CONNECTION)
    def lose_connection(self) -> None:
        """Lose the connection before the answer comes, then ask again with the same key, as the contract wants."""
        key = str(uuid.uuid4())
        with closing(socket.create_connection((LOOPBACK, self.port), REPLY_MAX_S)) as connection:
            connection.sendall(order_bytes(self.port, key, self.product, self.name))
        self._order_until_answered(key, "order, retry after a lost connection")

    @task(LOOK)
    def look(self) -> None:
        """Look how many units are left."""
        with self.client.get(
            f"/inventory/{self.product}", name="inventory", allow_redirects=False, catch_response=True
        ) as answer:
            reply = _judge(answer, {200: ("ok",)})
            if reply and not isinstance(reply.get("available"), int):
                answer.failure(f"no number of units: {reply}")

    @task(CANCEL)
    def cancel(self) -> None:
        """Give back an order that was accepted earlier."""
        if not self.orders:
            raise RescheduleTask
        order_id = self.orders.pop()
        with self.client.post(
            f"/cancel/{order_id}", name="cancel", allow_redirects=False, catch_response=True
        ) as answer:
            _judge(answer, {200: ("cancelled",), 409: None})

    def _order_until_answered(self, key: str, name: str) -> None:
        for _ in range(RETURNS_MAX):
            if self._order(key, name) is not None:
                return
            gevent.sleep(random.uniform(*DIVERTED_S))

    def _order(self, key: str, name: str) -> Reply | None:
        """Send one order. Gives the reply, empty for one that was refused; None when diverted or asked to come back."""
        with self.client.post(
            "/order",
            json={"productId": self.product, "userId": self.name},
            headers={"x-idempotency-key": key},
            name=name,
            allow_redirects=False,
            catch_response=True,
        ) as answer:
            if answer.status_code in (302, 429):
                _judge_diversion(answer)
                return None
            reply = _judge(answer, {200: ("success", "ignored"), 409: ("sold_out", "limit_reached")})
            if reply is None or answer.status_code != 200:
                return {}
            if not reply.get("orderId"):
                answer.failure(f"accepted without an order id: {reply}")
                return {}
            if reply["status"] == "success":
                self.orders.append(str(reply["orderId"]))
            return reply


def _judge(answer: ResponseContextManager, right: dict[int, tuple[str, ...] | None]) -> Reply | None:
    """Count an answer as right when its status and its body's `status` are among `right`; give its body then."""
    if answer.status_code in (302, 429) and answer.status_code not in right:
        _judge_diversion(answer)
        return None
    if answer.status_code not in right:
        answer.failure(f"status {answer.status_code}: {(answer.text or '')[:200]}")
        return None
    try:
        reply = answer.json()
    except ValueError:
        reply = None
    words = right[answer.status_code]
    if not isinstance(reply, dict) or (words and reply.get("status") not in words):
        answer.failure(f"wrong body: {(answer.text or '')[:200]}")
        return None
    answer.success()
    return reply


def _judge_diversion(answer: ResponseContextManager) -> None:
    """A diversion is right when it says where to go (302) or when to come back (429)."""
    wanted = "location" if answer.status_code == 302 else "retry-after"
    if answer.headers.get(wanted):
        answer.success()
    else:
        answer.failure(f"status {answer.status_code} without {wanted}")


def _fail(environment: Environment, name: str, reason: str) -> None:
    environment.events.request.fire(
        request_type="CHECK",
        name=name,
        response_time=0,
        response_length=0,
        exception=AssertionError(reason),
        context={},
    )
