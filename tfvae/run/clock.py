"""How long a run trained, over all the processes that it took."""

from pathlib import Path


def training_seconds(logs: Path) -> float:
    """Return the seconds of training that TensorBoard's files tell of, from each process' first epoch to its last.

    The first epoch of a process, whose begin no file holds, is taken to last as long as its others do on average.
    """
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader  # takes a second

    total = 0.0
    for path in sorted((logs / "train").glob("events.*")):
        ends = {event.step: event.wall_time for event in EventFileLoader(str(path)).Load() if event.HasField("summary")}
        times = sorted(ends.values())
        if len(times) > 1:
            total += (times[-1] - times[0]) * len(times) / (len(times) - 1)
    return total
