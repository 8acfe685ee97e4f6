"""What can go wrong on the way to a running local stack.

LocalStackError
├── ProgramMissingError      a program that the stack needs is not installed
├── ProcessStartError        a process ended or stayed silent before it was ready
├── NotLoopbackError         an endpoint that is not on this machine
└── SimulatorControlError    the simulator's control interface refused or could not be reached
"""


class LocalStackError(Exception):
    """Anything that keeps the local stack from running."""


class ProgramMissingError(LocalStackError):
    """A program that the stack needs is not installed."""


class ProcessStartError(LocalStackError):
    """A process ended, or stayed silent, before it was ready; the message carries the end of its log."""


class NotLoopbackError(LocalStackError):
    """An endpoint that is not on this machine: the local stack never talks to AWS or to anyone else."""


class SimulatorControlError(LocalStackError):
    """The simulator's control interface refused a request or could not be reached."""
