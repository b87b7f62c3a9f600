"""Versioned data with `trainyard data` and with DVC, each in a folder of its own, the same bytes.

    python versioning.py TRAINYARD DVC FOLDER      # the two programs, and an empty folder with 12 GB of space

Prints a row for each deed: seconds of wall and of processor time of both sides, and the ratios.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

FILES, SIZE, LARGE = 10_000, 20_000, 1 << 30


def measured(command, folder):
    """Runs a command after all earlier writes; gives wall and processor seconds."""
    os.sync()
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    assert status == 0, command
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main(trainyard, dvc, folder):
    folder = Path(folder)
    os.environ.update(DVC_NO_ANALYTICS="1", DVC_SITE_CACHE_DIR=str(folder / "site"))
    sides = {"trainyard": [trainyard, "data"], "dvc": [dvc]}
    for side in sides:
        for number in range(FILES):
            path = folder / side / f"many/{number % 100:02}/{number}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(number.to_bytes(4, "big") * (SIZE // 4))
        with open(folder / side / "large.bin", "wb") as file:
            for number in range(LARGE >> 20):
                file.write(number.to_bytes(4, "big") * (1 << 18))
        subprocess.run([dvc, "init", "--no-scm", "-q"], cwd=folder / side, check=True)
        remote = [dvc, "remote", "add", "-q", "-d", "store", f"../{side} store"]
        subprocess.run(remote, cwd=folder / side, check=True)
    # A file system may take its time over names that went a moment ago.
    time.sleep(5)
    print("| deed | trainyard wall, s | dvc wall, s | ratio | trainyard cpu, s | dvc cpu, s | ratio | MiB | MiB |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for deed, arguments in [
        (f"add {FILES} files of {SIZE} bytes", ["add", "many"]),
        ("status, unchanged", ["status", "many.dvc"]),
        ("add 1 GiB in one file", ["add", "large.bin"]),
        (f"check out {FILES} files", ["checkout", "many.dvc"]),
        ("push 1.27 GB to a folder", ["push"]),
        ("pull 1.27 GB from a folder", ["pull"]),
    ]:
        if arguments[0] == "checkout":
            for side in sides:
                shutil.move(folder / side / "many", folder / f"{side} before")
        if arguments[0] == "pull":
            for side in sides:
                for name in ["many", "large.bin", ".dvc/cache"]:
                    shutil.move(folder / side / name, folder / f"{side} pushed {Path(name).name}")
        ours, theirs = (measured([*command, *arguments], folder / side) for side, command in sides.items())
        row = [f"{ours[0]:.2f}", f"{theirs[0]:.2f}", f"{theirs[0] / ours[0]:.1f}"]
        row += [f"{ours[1]:.2f}", f"{theirs[1]:.2f}", f"{theirs[1] / ours[1]:.1f}", f"{ours[2]:.0f}", f"{theirs[2]:.0f}"]
        print(f"| {deed} | {' | '.join(row)} |", flush=True)
    content = (folder / "dvc/large.bin").read_bytes()
    began = time.process_time()
    hashlib.md5(content).hexdigest()
    print(f"\nmd5 alone of the 1 GiB, by OpenSSL in Python: {time.process_time() - began:.2f} s.")
    for name in ["many.dvc", "large.bin.dvc"]:
        ours, theirs = ((folder / side / name).read_bytes() for side in sides)
        assert ours == theirs, name


if __name__ == "__main__":
    main(*sys.argv[1:])
