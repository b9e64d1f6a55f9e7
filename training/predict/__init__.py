"""A model over a video, a picture or a folder of pictures: masks, numbers, an annotated film."""
