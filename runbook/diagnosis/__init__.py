"""Why a login does not work: the causes, what a token and our records say, and how the answers are weighed.

Pure: the systems are asked in `tasks.diagnosis`. A new cause is a member of `causes.Causes`, a row of
``docs/diagnosis.md``, and a case in the test that makes it happen.
"""
