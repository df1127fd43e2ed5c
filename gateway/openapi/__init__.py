"""GET /openapi.json: every route, as it is. The tests hold each answer of a running gateway against it."""

from gateway.openapi import (
    amazon,
    amazon_lists,
    catalogue,
    envelopes,
    flat,
    g2a,
    games,
    goated_admin,
    people,
    races,
    sale,
    schemas,
    store,
    syncs,
    users,
    verification,
    webhooks,
)
from gateway.openapi.schemas import Part

_ABOUT = (
    "Flux-Gate sells limited stock under a crowd. Every error body says in one sentence what to change. A method that "
    "a path does not take gets 405 with `Allow`; an unknown path gets 404; a head that cannot be read gets 400 or 431."
)
_LICENSE = {"name": "MIT", "identifier": "MIT"}

DOCUMENT: Part = {
    "openapi": "3.1.0",
    "info": {"title": "Flux-Gate", "version": "1", "description": _ABOUT, "license": _LICENSE},
    "servers": [{"url": "/"}],
    "paths": {
        **sale.SALE,
        **people.PATHS,
        **catalogue.PATHS,
        **store.PATHS,
        **g2a.PATHS,
        **webhooks.PATHS,
        **amazon.PATHS,
        **amazon_lists.PATHS,
        **syncs.PATHS,
        **races.PATHS,
        **users.PATHS,
        **verification.PATHS,
        **goated_admin.PATHS,
        **sale.OPERATION,
    },
    "components": {
        "schemas": {
            **schemas.SCHEMAS,
            **envelopes.SCHEMAS,
            **people.SCHEMAS,
            **games.SCHEMAS,
            **store.SCHEMAS,
            **g2a.SCHEMAS,
            **webhooks.SCHEMAS,
            **flat.SCHEMAS,
            **amazon.SCHEMAS,
            **amazon_lists.SCHEMAS,
            **syncs.SCHEMAS,
            **races.SCHEMAS,
            **users.SCHEMAS,
            **verification.SCHEMAS,
            **goated_admin.SCHEMAS,
        },
        "parameters": {
            **schemas.PARAMETERS,
            **envelopes.PARAMETERS,
            **people.PARAMETERS,
            **games.PARAMETERS,
            **store.PARAMETERS,
            **g2a.PARAMETERS,
            **webhooks.PARAMETERS,
            **syncs.PARAMETERS,
            **races.PARAMETERS,
            **users.PARAMETERS,
        },
        "headers": {**schemas.HEADERS, **envelopes.HEADERS, **games.HEADERS, **amazon.HEADERS, **syncs.HEADERS},
        "responses": {**schemas.RESPONSES, **envelopes.RESPONSES, **people.RESPONSES},
        "securitySchemes": envelopes.SECURITY_SCHEMES,
    },
}
