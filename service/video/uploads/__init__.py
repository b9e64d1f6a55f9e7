"""How a video arrives: plain, or resumable by tus."""
