import pytest

from service.backends.buckets import bucket_of, buckets_for


@pytest.mark.parametrize(
    ("max_batch", "buckets"), [(1, (1,)), (2, (1, 2)), (6, (1, 2, 4, 6)), (8, (1, 2, 4, 8)), (9, (1, 2, 4, 8, 9))]
)
def test_buckets_double_up_to_the_largest_batch(max_batch: int, buckets: tuple[int, ...]) -> None:
    assert buckets_for(max_batch) == buckets


@pytest.mark.parametrize(("frames", "bucket"), [(1, 1), (2, 2), (3, 4), (5, 8), (8, 8), (9, 9)])
def test_a_batch_goes_into_the_smallest_bucket_that_holds_it(frames: int, bucket: int) -> None:
    assert bucket_of(frames, (1, 2, 4, 8)) == bucket
