"""The named points at which the program can be told to die (stream/base/failpoint.h), in the order in which it passes
them: all that there are, as test_kill.py sees to."""

COMMIT = ("commit_before_begin", "commit_after_begin", "commit_after_outputs", "commit_after_produce", "commit_before_end",
          "commit_after_end", "commit_after_store")
# The state's points are passed for each task whose state is behind or not known to be up to date.
RESTORE = ("restore_after_join", "restore_after_fence", "restore_after_positions", "restore_before_state",
           "restore_before_store", "restore_after_state", "restore_before_seek", "restore_after_seek", "restore_after_marks")
EVERY = COMMIT + RESTORE
# Passed by who copies others' tasks alone: broker/standby dies there.
STANDBY = ("standby_after_write",)
