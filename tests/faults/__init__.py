"""One test a fault: who is told what in which time, what others notice, what is left.

Everything goes through the actor's port. The actor runs in the test's own process, so that
tests/conftest.py sees every task, thread, socket and process that a fault leaves behind; where
memory is measured, it is a real manager.
"""
