"""PostgreSQL's settings, computed from the memory that it may use and the machine's cores."""

MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE


def tuning(memory_bytes: int, cores: int) -> dict[str, str]:
    """Return settings for a server that may use the given memory on SSDs.

    The ratios are those of a 64 GB server with shared_buffers 16 GB, maintenance_work_mem 2 GB
    and work_mem 64 MB, with floors for small machines. Sorts and hashes take work_mem each, so
    it falls with the memory, not with the cores.
    """
    shared_buffers = memory_bytes // 4
    workers = max(2, cores)
    return {
        "shared_buffers": _mebibytes(max(shared_buffers, 64 * MEBIBYTE)),
        "effective_cache_size": _mebibytes(memory_bytes * 3 // 4),
        "maintenance_work_mem": _mebibytes(
            _within(memory_bytes // 32, 64 * MEBIBYTE, 2 * GIBIBYTE)
        ),
        "work_mem": _mebibytes(_within(memory_bytes // 1024, 4 * MEBIBYTE, 64 * MEBIBYTE)),
        "wal_buffers": _mebibytes(_within(shared_buffers // 32, 4 * MEBIBYTE, 64 * MEBIBYTE)),
        "min_wal_size": "128MB",
        "max_wal_size": _mebibytes(_within(memory_bytes, 512 * MEBIBYTE, 8 * GIBIBYTE)),
        "random_page_cost": "1.1",
        "effective_io_concurrency": "200",
        "checkpoint_completion_target": "0.9",
        "default_statistics_target": "100",
        "max_worker_processes": str(max(8, workers)),
        "max_parallel_workers": str(workers),
        "max_parallel_workers_per_gather": str(max(1, workers // 2)),
    }


def _within(value: int, least: int, most: int) -> int:
    return min(max(value, least), most)


def _mebibytes(size: int) -> str:
    return f"{size // MEBIBYTE}MB"
