"""Names that the server and the workers agree on in DBOS."""

APPLICATION = "endomask"
APPLICATION_VERSION = "1"
"""Version of the workflow's steps, not of the program: jobs go on across upgrades until the steps change."""
QUEUE = "videos"
WORKFLOW = "process_video"
