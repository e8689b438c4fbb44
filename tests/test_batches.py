"""Batches pass through a compiled backbone in order, several at a time; nothing is lost, copied or left behind."""

import itertools
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest

import zoo
from zoo.batches import PATIENCE, WINDOW, groups, run_by_length, run_groups, stack
from zoo.errors import InputError
from zoo.inputs import Prepared, prepare_all
from zoo.specs import ImageInput, TextInput

SMALL = ImageInput(size=(4, 4), dtype="uint8")


class Means(zoo.Compiled):
    """The mean of each picture; of each text its length, and the length of the longest beside it."""

    device, precision = "cpu", "fp32"

    def __init__(self):
        self.batches = []

    def __call__(self, batch):
        self.batches.append(batch)
        if batch.dtype == object:
            lengths = np.array([len(text) for text in batch])
            return {"own": lengths, "longest": np.full(len(batch), lengths.max())}
        return {"mean": batch.mean((1, 2, 3))}

    def parameters(self):
        return 0


class Streaming(Means):
    """The same with three batches under way."""

    def stream(self, batches):
        ahead = deque()
        with ThreadPoolExecutor(3, thread_name_prefix="under-way") as pool:
            for batch in batches:
                ahead.append(pool.submit(self, batch))
                if len(ahead) == 3:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()


def plain(level):
    return np.full((8, 8, 3), level, np.uint8)


def threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("zoo-decode", "under-way"))]


def flow(run, sources, most=4):
    return run_groups(run, groups(prepare_all(sources, SMALL, batch=most, workers=2), most), "image")


def shown(answered):
    """What came out for each input, in order: a number, or the error's word for it."""
    for group, outputs in answered:
        rows = iter(next(iter(outputs.values()), ()))
        yield from (next(rows) if isinstance(item, Prepared) else "unreadable" for item in group)


def test_pictures_that_lie_side_by_side_are_not_copied():
    pictures = [plain(level) for level in range(10)]
    found = [
        stack([item.value for item in group], "image")
        for group in groups(prepare_all(pictures, ImageInput(size=(4, 4)), batch=4), 4)
    ]
    assert [len(batch) for batch in found] == [4, 4, 2]
    assert all(batch.base is not None and len(batch.base) == 4 for batch in found)
    np.testing.assert_allclose(np.concatenate(found)[:, 0, 0, 0], np.arange(10) / 255, atol=1e-7)


@pytest.mark.parametrize("order", [[1, 0, 2, 3], [0, 0, 1, 2], [1, 2], [0, 2, 3]])
def test_pictures_in_another_order_are_stacked_in_that_order(order):
    values = [item.value for item in prepare_all(map(plain, range(4)), SMALL, batch=4)]
    batch = stack([values[index] for index in order], "image")
    assert batch[:, 0, 0, 0].tolist() == order
    assert not np.may_share_memory(batch, values[0])


@pytest.mark.parametrize("kind", [Means, Streaming])
def test_all_come_in_order_and_the_unreadable_in_their_place(kind):
    sources = [plain(level) for level in range(60)]
    wrong = {0, 13, *range(20, 33), 59}  # one group of four, at least, has nothing to run
    for index in wrong:
        sources[index] = b"broken"
    run = kind()
    found = list(shown(flow(run, sources)))
    assert found == ["unreadable" if index in wrong else index for index in range(60)]
    assert max(len(batch) for batch in run.batches) == 4
    assert list(flow(kind(), [])) == []


def test_an_empty_group_does_not_keep_an_endless_run_of_them_waiting():
    with closing(flow(Streaming(), itertools.repeat(b"broken"))) as answered:
        assert list(itertools.islice(shown(answered), 20)) == ["unreadable"] * 20
    assert threads() == []


@pytest.mark.parametrize("kind", [Means, Streaming])
def test_only_a_few_of_endless_sources_are_taken_ahead(kind):
    taken = itertools.count()
    with closing(flow(kind(), (plain(next(taken) % 256) for _ in itertools.repeat(None)))) as answered:
        for level in range(10):
            assert next(answered)[1]["mean"].tolist() == [4 * level + index for index in range(4)]
    # 40 answered, 3 batches under way, 16 pictures decoded ahead; a group is full when the next picture is there.
    assert next(taken) <= 40 + 3 * 4 + 16 + 1
    assert threads() == []


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("kind", [Means, Streaming])
def test_what_the_source_or_the_network_raises_reaches_the_caller_and_ends_the_threads(kind, error):
    def sources():
        yield from map(plain, range(40))
        raise error("the source is gone")

    class Failing(kind):
        def __call__(self, batch):
            raise error("the network is gone")

    for run, told in ((kind(), "source"), (Failing(), "network")):
        with pytest.raises(error, match=told):
            list(flow(run, sources()))
    assert threads() == []


TEXTS = ["x" * (37 * index % 101) for index in range(1000)]


def by_length(run, texts, most=8):
    return run_by_length(run, prepare_all(texts, TextInput()), most)


@pytest.mark.parametrize("kind", [Means, Streaming])
@pytest.mark.parametrize("most", [1, 7, 8, 5000])
def test_texts_come_back_in_order_whatever_order_they_ran_in(kind, most):
    texts = list(TEXTS)
    for index in (0, 5, 999, *range(600, 620)):
        texts[index] = b"\xff"
    found = list(by_length(kind(), texts, most))
    assert [len(group) for group, _ in found[:-1]] == [min(most, 1000)] * (len(found) - 1)
    own = list(shown((group, {"own": outputs["own"]} if outputs else {}) for group, outputs in found))
    assert own == [len(text) if isinstance(text, str) else "unreadable" for text in texts]
    assert list(by_length(kind(), [])) == []
    assert list(shown(by_length(kind(), [b"\xff"] * 20))) == ["unreadable"] * 20


def test_texts_of_like_length_share_a_batch():
    run = Means()
    found = [row for _, outputs in by_length(run, TEXTS[: 8 * WINDOW]) for row in outputs["longest"] - outputs["own"]]
    assert np.mean(found) < 3
    in_order = [max(map(len, TEXTS[start : start + 8])) for start in range(0, 8 * WINDOW, 8)]
    assert np.mean(found) < np.mean(np.repeat(in_order, 8) - [len(text) for text in TEXTS[: 8 * WINDOW]]) / 10
    assert all(len(batch) == 8 for batch in run.batches)


def test_only_a_window_of_endless_texts_is_taken_ahead():
    taken = itertools.count(1)
    with closing(by_length(Streaming(), ("a" for _ in taken))) as answered:
        assert len(list(itertools.islice(answered, 3))) == 3
    assert next(taken) <= 2 * 8 * WINDOW + 1
    assert threads() == []


def test_texts_that_come_slowly_do_not_wait_for_a_whole_window():
    taken = []

    def typed():
        for index in range(24):
            taken.append(index)
            yield "a"
            time.sleep(PATIENCE / 6)

    with closing(by_length(Means(), typed())) as answered:
        next(answered)
        assert len(taken) == 8


@pytest.mark.assets
def test_running_by_length_changes_no_embedding(assets):
    model = zoo.get("embedding", "real_minilm")
    lines = (assets / "data" / "stsbenchmark" / "sts-test.csv").read_text(encoding="utf-8").splitlines()
    texts = [line.split("\t")[5] for line in lines[:70]]
    run = model.compiled("features")
    alone = np.concatenate([run(stack(texts[start : start + 8], "text"))["features"] for start in range(0, 70, 8)])
    np.testing.assert_allclose(model.features(texts, batch_size=8), alone, atol=1e-5)
    with pytest.raises(InputError):
        model.features([*texts, b"\xff"])
