"""How Celery runs here: an asyncio pool, guards around kombu's Redis transport, the lease heartbeat."""
