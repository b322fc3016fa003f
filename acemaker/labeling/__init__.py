"""Where labels are made: handed out to an executor, and taken in one by one."""
