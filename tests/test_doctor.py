"""`zoo doctor` names what will not work and what to do, from what TensorFlow itself says."""

import pytest

from zoo.cli import doctor, gpus
from zoo.cli.gpus import Gpus, read

# As TensorFlow 2.21 writes it without a driver, and with one but without cuDNN.
NO_DRIVER = """\
I0000 00:00:1795256069.523886 9423 cudart_stub.cc:31] Could not find cuda drivers, GPU won't be used.
I0000 00:00:1795256070.716593 9423 dso_loader.cc:144] Could not load dynamic library 'libcuda.so.1'; dlerror: \
libcuda.so.1: cannot open shared object file: No such file or directory
"""
NO_CUDNN = "".join(
    f"I0000 00:00:1795256070.716593 9423 dso_loader.cc:144] Could not load dynamic library '{name}'; dlerror: {name}\n"
    for name in ("libcudnn.so.9", "libcufft.so.11", "libcudnn.so.9")
)


def told(found):
    return [(finding.state, finding.what, finding.detail) for finding in doctor._gpus(found)]


def test_a_machine_without_a_gpu_is_no_fault():
    ((state, what, detail),) = told(read("[]\n", NO_DRIVER, driver=False))
    assert (state, what) == ("ok", "GPUs")
    assert "no driver" in detail


def test_a_gpu_goes_by_its_name():
    found = read('chatter\n[["NVIDIA H200", [9, 0]]]\n', "", driver=True)
    assert told(found) == [("ok", "GPUs", "NVIDIA H200 (9.0)")]


def test_the_libraries_that_tensorflow_failed_to_load_are_a_fault_with_the_way_to_get_them(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (finding,) = told(read("[]\n", NO_CUDNN, driver=True))
    assert finding == (
        "fault",
        "GPU libraries",
        "TensorFlow could not load libcudnn.so.9, libcufft.so.11; pip install 'tf-model-zoo[cuda]'",
    )


def test_gpus_that_a_variable_hides_are_said_to_be_hidden(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    ((state, _, detail),) = told(Gpus((), (), driver=True))
    assert state == "note"
    assert "unset it" in detail
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert told(Gpus((), (), driver=True))[0][0] == "fault"


def test_a_tensorflow_that_can_t_be_imported_is_told_by_its_last_words():
    ((state, _, detail),) = told(read("", "Traceback ...\nImportError: libfoo.so\n", driver=False))
    assert (state, detail) == ("fault", "TensorFlow can't be imported: ImportError: libfoo.so")


def test_the_question_is_asked_of_the_real_tensorflow():
    found = gpus.Question().answer()
    assert found.error == ""
    assert found.driver or "libcuda.so.1" in found.missing


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ({"tensorflow": "2.21.0", "keras": "2.15.0"}, [("fault", "keras")]),
        ({"tensorflow": "2.21.0", "keras": "3.15.1", "tf-keras": "2.21.0"}, [("ok", "tf-keras")]),
        ({"tensorflow": "2.21.0", "keras": "3.15.1", "tensorflow-cpu": "2.21.0"}, [("fault", "tensorflow-cpu")]),
    ],
)
def test_versions_that_fight_are_faults_and_tf_keras_is_none(there, said, monkeypatch):
    def version(package):
        if package not in there:
            raise doctor.PackageNotFoundError(package)
        return there[package]

    monkeypatch.setattr(doctor, "version", version)
    assert [(finding.state, finding.what) for finding in doctor._fighting()] == said
