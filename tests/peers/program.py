"""Calls the program that `PORTKEEPER` names."""

import os
import subprocess


def ask(*words, **environment):
    """The exit code, stdout and stderr."""
    command = [os.environ["PORTKEEPER"], *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{command}: {done.returncode}: {done.stderr}")
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def says_yes(*words, **environment):
    """Whether the exit code is 0."""
    return ask(*words, **environment)[0] == 0
