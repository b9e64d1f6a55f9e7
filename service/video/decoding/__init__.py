"""The decoder, in a process of its own: FFmpeg sees a stranger's bytes only there.

`process` starts it and listens (the service's side); `__main__` is the process itself, `confinement` its limits,
`container`, `scan`, `first_frame`, `frames` and `pictures` its work. `wire` and `slots` are what both sides share.
"""
