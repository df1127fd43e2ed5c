"""The rows of the dashboard about what stands around the sale: outbox, caches, other parties, people and processes."""

from tests.support.grafana_rows import BUS, RATE, REQUESTS, SALE, Panel, Row, once, quantiles, share

_READS = "fluxgate_cache_reads_total"
_CALLS = "fluxgate_upstream_calls_total"
_GOOD = 'outcome!~"2..|304|402|404|409"'
_OUTBOX = Row(
    "Outbox of Postgres",
    "Does what was promised in a transaction leave in time: mail, carts, orders for the store?",
    (
        Panel(
            "Commands in the outbox",
            "short",
            "Rows that are due now, and due later. Empty: the reaper has not looked.",
            (("max by (worker, due) (fluxgate_deferred_commands)", "{{worker}} {{due}}"),),
        ),
        Panel(
            "How late the oldest is",
            "s",
            "Beyond half a minute the reaper does not keep up, or a stream is full.",
            (("max by (worker) (fluxgate_deferred_late_seconds)", "{{worker}}"),),
            worst=30,
        ),
        Panel(
            "Commands that have failed before",
            "short",
            "They are tried again, with growing pauses. Of auth, these are mails.",
            (("max by (worker) (fluxgate_deferred_retries)", "{{worker}}"),),
        ),
    ),
)
_CACHES = Row(
    "Caches",
    "How much is answered without a worker, and how much of that is old?",
    (
        Panel(
            "Reads by what was found",
            "reqps",
            "Fresh answers, old ones that are served while they are renewed, and none.",
            ((f"sum by (found) (rate({_READS}{RATE}))", "{{found}}"),),
        ),
        Panel(
            "Hit ratio",
            "percentunit",
            "The share of reads that found an answer, fresh or old, and of those that found a fresh one.",
            (
                (share(f'sum(rate({_READS}{{found!="nothing"}}{RATE}))', f"sum(rate({_READS}{RATE}))"), "any"),
                (share(f'sum(rate({_READS}{{found="fresh"}}{RATE}))', f"sum(rate({_READS}{RATE}))"), "fresh"),
            ),
        ),
        Panel(
            "Fills",
            "ops",
            "Answers that were asked of a worker for the cache, by gateway process.",
            ((f"sum by (process) (rate(fluxgate_cache_fills_total{RATE}))", "{{process}}"),),
        ),
    ),
)
_UPSTREAMS = Row(
    "Other parties",
    "Do G2A, Amazon and Goated answer, and how fast?",
    (
        Panel(
            "Time that they take",
            "s",
            "What half of the requests, 99 % and 99.9 % of them took at most, by party.",
            quantiles("fluxgate_upstream_request_duration_seconds", by="upstream"),
        ),
        Panel(
            "Requests by outcome",
            "reqps",
            "A status, or why there is none; paused: left alone for some seconds, after many failures.",
            ((once(_CALLS, "upstream, outcome"), "{{upstream}} {{outcome}}"),),
        ),
        Panel(
            "Failures",
            "percentunit",
            "The share of requests that came to nothing. What a shop may say about one product is no failure.",
            ((share(once(_CALLS + f"{{{_GOOD}}}", "upstream"), once(_CALLS, "upstream")), "{{upstream}}"),),
            worst=0.2,
        ),
        Panel(
            "Time of a call",
            "s",
            "The mean, by what was asked for.",
            (
                (
                    share(
                        once("fluxgate_upstream_call_seconds_total", "upstream, call"), once(_CALLS, "upstream, call")
                    ),
                    "{{upstream}} {{call}}",
                ),
            ),
        ),
    ),
)
_SYNCS = Row(
    "Syncs",
    "How old is what we tell of other parties, and do syncs succeed?",
    (
        Panel(
            "Age of the last good data",
            "s",
            "Since the last sync that did not fail. Races are synced every five minutes; Amazon when a seller asks.",
            (
                (
                    "time() - (max by (upstream) (fluxgate_sync_last_good_timestamp_seconds) > 0)",
                    "{{upstream}}",
                ),
            ),
            worst=900,
        ),
        Panel(
            "Syncs in an hour",
            "short",
            "By outcome.",
            (
                (
                    "max by (upstream, outcome) (increase(fluxgate_syncs_total[1h]))",
                    "{{upstream}} {{outcome}}",
                ),
            ),
            "bars",
        ),
    ),
)
_PEOPLE = Row(
    "People",
    "Who comes, who logs in, and who watches?",
    (
        Panel(
            "Logins and registrations",
            "ops",
            "By status: 401 is a wrong password or address, 409 an address that has an account.",
            (
                (
                    once('fluxgate_commands_total{worker="auth",kind=~"login|register|refresh"}', "kind, status"),
                    "{{kind}} {{status}}",
                ),
            ),
        ),
        Panel(
            "Commands by role",
            "ops",
            "What guests, users and administrators ask of workers. Single persons are in the logs, and never here.",
            ((f"sum by (role) (rate(fluxgate_commands_asked_total{RATE}))", "{{role}}"),),
        ),
        Panel(
            "Watchers",
            "short",
            "Open streams of events, syncs and races, by gateway process.",
            (("sum by (process) (fluxgate_event_watchers)", "{{process}}"),),
        ),
    ),
)
_PROCESSES = Row(
    "Processes",
    "What do the gateways and Redis use?",
    (
        Panel(
            "Processor time of gateways",
            "percentunit",
            "Of one core, by process.",
            ((f"sum by (process) (rate(fluxgate_process_cpu_seconds_total{RATE}))", "{{process}}"),),
            worst=0.9,
        ),
        Panel(
            "Memory of gateways",
            "bytes",
            "By process.",
            (("sum by (process) (fluxgate_process_memory_bytes)", "{{process}}"),),
        ),
        Panel(
            "Memory of Redis",
            "bytes",
            "Used, and where it is bounded, the bound: there it takes no more orders.",
            (
                ("max(fluxgate_redis_memory_bytes)", "used"),
                ("max(fluxgate_redis_memory_limit_bytes) > 0", "limit"),
            ),
        ),
    ),
)
ROWS = (SALE, REQUESTS, BUS, _OUTBOX, _CACHES, _UPSTREAMS, _SYNCS, _PEOPLE, _PROCESSES)
