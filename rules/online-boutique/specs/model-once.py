"""The recommendation model, once a process, and candidates without lists of them."""

import functools
import heapq

BATCH = 256


@functools.cache
def model():
    """Loaded by the first call, in main, before workers are forked: they share its pages."""
    return load_model(MODEL_PATH, mmap=True)


def batches(ids, size=BATCH):
    batch = []
    for product_id in ids:
        batch.append(product_id)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def best(user_products, candidates, count=5):
    """The `count` products that fit best. At no time are more than BATCH scores in memory."""
    seen = set(user_products)
    fresh = (c for c in candidates if c not in seen)
    scored = (pair for batch in batches(fresh) for pair in zip(model().score(user_products, batch), batch))
    return [product for _, product in heapq.nlargest(count, scored)]
