"""Step `price`: what an order costs."""

from typing import Any

PRICES = {"coffee": 7, "tea": 4}


class UnknownArticleError(ValueError):
    """The article is not on the list."""


def handler(order: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return `{"order_id", "total"}` of `{"order_id", "article", "quantity"}`.

    Raises:
        UnknownArticleError: if the article has no price.
    """
    article = order["article"]
    if article not in PRICES:
        raise UnknownArticleError(f"there is no price for {article!r}, only for {', '.join(PRICES)}")
    return {"order_id": order["order_id"], "total": PRICES[article] * order["quantity"]}
