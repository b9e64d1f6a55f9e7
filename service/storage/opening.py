"""Which store the settings name."""

from service.errors import StorageUnavailable
from service.settings import Settings
from service.storage.disk import DataFolder
from service.storage.folder import FolderStore
from service.storage.store import Store


def open_store(settings: Settings) -> Store:
    """Raises StorageUnavailable."""
    data = DataFolder(settings.data_dir, settings.min_free_disk_gigabytes)
    url = settings.storage_url
    if url is None:
        return FolderStore(data)
    try:
        from service.storage.objects import ObjectStore  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise StorageUnavailable("ENDOMASK_STORAGE_URL needs s3fs: pip install 'endomask[s3]'") from error
    return ObjectStore(data, url)
