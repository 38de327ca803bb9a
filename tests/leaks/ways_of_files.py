"""Ways through files, folders, links and programs. See thief.py."""

# A thief takes the most basic call.
# ruff: noqa: PTH104, PTH115, PTH123, PTH208

import ctypes
import mmap
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from thief import AT_FDCWD, MASK_SIZE, _in_thread, _is_open, attempt, content, libc, system_call

# First, before the thief opens anything itself.


@attempt
def inherited_descriptors(places):
    folder = str(Path(places.mask).parents[1])
    links = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if _is_open(name)]
    return [link for link in links if link.startswith(folder)]


# Ordinary ways, by ever more basic calls.


@attempt
def nibabel(places):
    import nibabel as nib

    return np.asanyarray(nib.load(places.mask).dataobj).any()


@attempt
def glob_the_folder(places):
    return list(Path(places.mask).parents[1].glob("**/*.nii.gz"))


@attempt
def list_the_folder(places):
    return os.listdir(Path(places.mask).parent)


@attempt
def os_open(places):
    return os.read(os.open(places.mask, os.O_RDONLY), MASK_SIZE)


@attempt
def memory_map(places):
    with open(places.mask, "rb") as file:
        return bytes(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


@attempt
def cat(places):
    return subprocess.run(["cat", places.mask], check=True, capture_output=True).stdout


@attempt
def shell_redirection(places):
    return subprocess.run(f"dd < '{places.mask}'", shell=True, check=True, capture_output=True).stdout


@attempt
def another_python(places):
    code = f"import sys; sys.stdout.buffer.write(open({places.mask!r}, 'rb').read())"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout


@attempt
def c_library(places):
    file = libc.open(places.mask.encode(), os.O_RDONLY)
    return file >= 0 and os.read(file, MASK_SIZE)


@attempt
def openat2(places):
    how = (ctypes.c_uint64 * 3)(os.O_RDONLY, 0, 0)
    file = system_call(437, AT_FDCWD, places.mask.encode(), ctypes.byref(how), ctypes.c_size_t(24))
    return os.read(file, MASK_SIZE)


@attempt
def a_thread(places):
    return _in_thread(lambda: content(places.mask))


@attempt
def a_fork(places):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, content(places.mask))
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    return os.read(reading, MASK_SIZE)


@attempt
def path_only_then_dev_fd(places):
    file = os.open(places.mask, os.O_PATH)
    return content(f"/dev/fd/{file}")


@attempt
def path_only_then_openat(places):
    folder = os.open(Path(places.mask).parent, os.O_PATH)
    return os.read(os.open("seg.nii.gz", os.O_RDONLY, dir_fd=folder), MASK_SIZE)


@attempt
def working_folder(places):
    os.chdir(Path(places.mask).parent)
    try:
        return content("seg.nii.gz")
    finally:
        os.chdir(tempfile.gettempdir())


# Links and moves.


@attempt
def symbolic_link(places):
    link = Path(tempfile.mkdtemp(), "link")
    link.symlink_to(places.mask)
    return content(link)


@attempt
def hard_link(places):
    link = Path(tempfile.mkdtemp(), "link")
    link.hardlink_to(places.mask)
    return content(link)


@attempt
def move_it_here(places):
    here = Path(tempfile.mkdtemp(), "moved")
    os.rename(places.mask, here)
    data = content(here)
    os.rename(here, places.mask)
    return data


@attempt
def copy_file_range(places):
    with open(places.mask, "rb") as source, tempfile.TemporaryFile() as target:
        return os.copy_file_range(source.fileno(), target.fileno(), MASK_SIZE)
