"""What decides. Everything here is pure: time, randomness and settings come in as arguments, and nothing does I/O."""
