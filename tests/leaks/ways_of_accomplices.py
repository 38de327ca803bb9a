"""Ways to what others left, through the network, and through Python itself. See thief.py."""

# A thief takes the most basic call.
# ruff: noqa: PTH111, PTH208

import gc
import importlib
import os
import socket
import subprocess
import sys
from pathlib import Path

from thief import Thief, _line, attempt, content, places_context, system_call

# What an accomplice, such as an earlier run with labels, may have left somewhere.


@attempt
def shared_memory_file(places):
    return content(places.planted["shared_memory"])


@attempt
def system_v_shared_memory(places):
    number = system_call(29 if os.uname().machine == "x86_64" else 194, int(places.planted["segment"]), 64, 0)
    return number + 1


@attempt
def temporary_file(places):
    return content(places.planted["temporary"])


@attempt
def home_folder(places):
    return os.listdir(os.path.expanduser("~" + os.environ.get("USER", "root")))


@attempt
def stage_of_an_unsealed_run(places):
    return content(places.planted["stage"])


@attempt
def scores_of_a_run(places):
    return content(places.planted["scores"])


@attempt
def predictions_of_a_supervised_run(places):
    return content(places.planted["prediction"])


@attempt
def prepared_image_of_another_case(places):
    return os.listdir(places.planted["prepared"])


@attempt
def weights_left_by_another_run(places):
    return content(places.planted["weights"])


@attempt
def weights_for_a_later_run(places):
    return Path(places.planted["weights"]).with_name("left.bin").write_bytes(b"left")


@attempt
def network(places):
    with socket.create_connection(("127.0.0.1", places.port), timeout=5) as line:
        return line.recv(64)


@attempt
def network_by_a_program(places):
    code = f"import socket; socket.create_connection(('127.0.0.1', {places.port}), 5)"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).returncode == 0


@attempt
def local_service(places):
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(places.planted["service"])
        return line.recv(64)


# Python itself.


@attempt
def the_label_access(places):
    return places_context().labels.mask(places.case, "curiosity").any()


@attempt
def read_reference(places):
    from unseg_bench.data.files import ReferenceFile
    from unseg_bench.data.labels import read_whole_tumour
    from unseg_bench.data.nifti import read_labels

    return read_whole_tumour(ReferenceFile(Path(places.mask)), read_labels(Path(places.mask))).any()


@attempt
def the_data_sets_own_code(places):
    return importlib.import_module("unseg_bench_datasets.folder").FolderDataset


@attempt
def objects_in_memory(places):
    from unseg_bench.data.labels import LabelAccess
    from unseg_bench.plugins.dataset import Dataset

    # By type: a look at an object itself makes some libraries' lazy ones speak.
    return [one for one in gc.get_objects() if issubclass(type(one), Dataset | LabelAccess)]


@attempt
def environment(places):
    folder = str(Path(places.mask).parents[1])
    return [name for name, value in os.environ.items() if folder in value]


@attempt
def weights_that_are_a_mask(places):
    from unseg_bench.blocks.weights import resolve

    return content(resolve(places.mask).path)


@attempt
def a_case_that_was_not_given(places):
    return _line().ask("volume", "test", "../../case-0/seg.nii.gz")


@attempt
def a_stage_outside_the_cache(places):
    return _line().ask("stage", "../../../stages/x", {"stage": "../../../stages/x"})


@attempt
def a_label_by_hand(places):
    return _line().ask("label", "mask", places.case, "curiosity")


@attempt
def patched_supervision(places):
    from unseg_bench import Supervision

    Thief.supervision = Supervision.PROMPTS_FROM_MASKS
    return places_context().labels.mask(places.case, "patched").any()
