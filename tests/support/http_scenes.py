"""One request for each answer that the OpenAPI document shows, in an order in which they can be performed.

The same scenes prove the document against a running gateway and are written down in `docs/http.md`.
"""

import asyncio

from tests.support import (
    http_scenes_amazon,
    http_scenes_g2a,
    http_scenes_g2a_keys,
    http_scenes_goated,
    http_scenes_people,
    http_scenes_sale,
    http_scenes_store,
    http_scenes_verification,
    http_scenes_webhooks,
)
from tests.support.http_scenes_common import common_scenes
from tests.support.http_stage import Performed, Scene, Stage, perform

AT_ONCE = 16
"""What changes nothing is performed together: a body that never comes takes its time."""
_OWN = [
    *http_scenes_sale.SCENES,
    *http_scenes_people.SCENES,
    *http_scenes_store.SCENES,
    *http_scenes_g2a_keys.SCENES,
    *http_scenes_webhooks.SCENES,
    *http_scenes_g2a.SCENES,
    *http_scenes_amazon.SCENES,
    *http_scenes_goated.SCENES,
    *http_scenes_verification.SCENES,
    *http_scenes_goated.LAST,
]
SCENES: list[Scene] = [*_OWN, *common_scenes(_OWN)]


async def perform_all(stage: Stage) -> list[Performed]:
    """Play every scene."""
    performed = [(scene, *await perform(stage, scene)) for scene in _OWN]
    others = SCENES[len(_OWN) :]
    for start in range(0, len(others), AT_ONCE):
        some = others[start : start + AT_ONCE]
        answers = await asyncio.gather(*(perform(stage, scene) for scene in some))
        performed += [(scene, *answer) for scene, answer in zip(some, answers, strict=True)]
    return performed
