"""What the worker does, in terms of ports: send at the allowed pace, apply feedback, keep the quota fresh."""
