"""Questions of the study: one file answers one."""
