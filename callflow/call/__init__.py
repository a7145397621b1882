"""A call as tasks: Trio begins on this floor. One nursery a call; reader, writer, timer and engine in it."""
