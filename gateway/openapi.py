"""GET /openapi.json: every route, as it is. The tests hold each answer of a running gateway against it."""

from gateway import (
    openapi_catalogue,
    openapi_envelopes,
    openapi_games,
    openapi_people,
    openapi_sale,
    openapi_schemas,
    openapi_store,
)
from gateway.openapi_schemas import Part

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
        **openapi_sale.SALE,
        **openapi_people.PATHS,
        **openapi_catalogue.PATHS,
        **openapi_store.PATHS,
        **openapi_sale.OPERATION,
    },
    "components": {
        "schemas": {
            **openapi_schemas.SCHEMAS,
            **openapi_envelopes.SCHEMAS,
            **openapi_people.SCHEMAS,
            **openapi_games.SCHEMAS,
            **openapi_store.SCHEMAS,
        },
        "parameters": {
            **openapi_schemas.PARAMETERS,
            **openapi_envelopes.PARAMETERS,
            **openapi_people.PARAMETERS,
            **openapi_games.PARAMETERS,
            **openapi_store.PARAMETERS,
        },
        "headers": {**openapi_schemas.HEADERS, **openapi_envelopes.HEADERS, **openapi_games.HEADERS},
        "responses": {**openapi_schemas.RESPONSES, **openapi_envelopes.RESPONSES, **openapi_people.RESPONSES},
        "securitySchemes": openapi_envelopes.SECURITY_SCHEMES,
    },
}
