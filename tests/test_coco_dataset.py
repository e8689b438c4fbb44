"""The scheme `coco:`: what it reads, where it finds pictures, and what it says of faulty annotations."""

import json

import pytest
from PIL import Image

import zoo
from zoo.dataset import DatasetOptions, open_dataset
from zoo.errors import DatasetError, OptionError
from zoo.labels import label_space, named_space
from zoo.plugins import installed


def annotation(**changes):
    """Two pictures of 40 x 30: the first with a cat and a crowd of dogs, the second with nothing."""
    content = {
        "images": [
            {"id": 7, "file_name": "a.png", "width": 40, "height": 30},
            {"id": 3, "file_name": "b.png", "width": 40, "height": 30},
        ],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 5, "bbox": [1, 2, 10, 20], "area": 150.5, "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 9, "bbox": [0, 0, 40, 15], "area": 600, "iscrowd": 1},
        ],
        "categories": [{"id": 5, "name": "cat"}, {"id": 9, "name": "dog"}],
    }
    return content | changes


def write(folder, content=None, name="annotation.json", pictures="."):
    (folder / pictures).mkdir(parents=True, exist_ok=True)
    for picture in ("a.png", "b.png"):
        Image.new("RGB", (40, 30)).save(folder / pictures / picture)
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(annotation() if content is None else content), encoding="utf-8")
    return path


def open_coco(path, **options):
    return open_dataset(f"coco:{path}", DatasetOptions(**options), installed())


def with_object(**changes):
    """The annotation with its first object changed; a change to None takes the field away."""
    first, second = annotation()["annotations"]
    return annotation(annotations=[{k: v for k, v in (first | changes).items() if v is not None}, second])


def test_it_reads_boxes_classes_areas_and_crowds(tmp_path):
    write(tmp_path)
    dataset = open_coco(tmp_path)
    first, second = dataset
    assert (first.id, first.input) == ("a.png", tmp_path / "a.png")
    assert first.target == zoo.Objects(
        boxes=((1, 2, 11, 22), (0, 0, 40, 15)),
        ids=(5, 9),
        crowd=(False, True),
        areas=(150.5, 600),
        image_id=7,
        size=(40, 30),
    )
    assert second.target == zoo.Objects((), (), image_id=3, size=(40, 30))
    assert len(dataset) == 2
    assert dataset.labels.names == {5: "cat", 9: "dog"}
    assert dataset.note == ""


def test_area_and_crowd_may_be_left_out(tmp_path):
    first = next(iter(open_coco(write(tmp_path, with_object(area=None, iscrowd=None)))))
    assert first.target.areas[0] == 200
    assert first.target.crowd[0] is False


def test_categories_that_agree_with_coco_are_its_own(tmp_path):
    rows = [{"id": 5, "name": "airplane"}, {"id": 9, "name": "boat"}]
    assert open_coco(write(tmp_path, annotation(categories=rows))).labels is label_space("coco-91")


def test_the_user_may_say_what_category_ids_mean(tmp_path):
    file = write(tmp_path)
    assert open_coco(file, labels=label_space("coco-80")).labels is label_space("coco-80")
    with pytest.raises(DatasetError, match="objects of category 5, which label space 'own' does not list"):
        open_coco(file, labels=named_space(["cat", "dog"]))


@pytest.mark.parametrize("pictures", [".", "val2017", "images/deep"])
def test_pictures_are_found_in_any_subfolder(tmp_path, pictures):
    write(tmp_path, pictures=pictures)
    assert [example.input for example in open_coco(tmp_path)] == [
        tmp_path / pictures / "a.png",
        tmp_path / pictures / "b.png",
    ]


def test_the_folder_in_coco_url_decides_between_pictures_of_one_name(tmp_path):
    content = annotation()
    for image in content["images"]:
        image["coco_url"] = f"http://example.org/val2017/{image['file_name']}"
    write(tmp_path, content, pictures="train2017")
    write(tmp_path, content, pictures="val2017")
    assert {example.input.parent.name for example in open_coco(tmp_path)} == {"val2017"}


def test_a_picture_in_two_folders_is_not_guessed(tmp_path):
    write(tmp_path, pictures="left")
    write(tmp_path, pictures="right")
    with pytest.raises(DatasetError, match=r"picture 'a.png' lies in .*left' and in .*right'"):
        open_coco(tmp_path)


def test_the_layout_of_coco_itself_is_read_by_split(tmp_path):
    for split in ("train2017", "val2017"):
        write(tmp_path, name=f"annotations/instances_{split}.json", pictures="val2017")
        write(tmp_path, name=f"annotations/captions_{split}.json", pictures="val2017")
    assert len(open_coco(tmp_path, split="val2017")) == 2
    assert len(open_coco(tmp_path / "annotations" / "instances_val2017.json")) == 2
    with pytest.raises(DatasetError, match=r"holds 4 JSON files, .*; give one of them, or its split"):
        open_coco(tmp_path)
    with pytest.raises(DatasetError, match="none or several of them end in split 'test'"):
        open_coco(tmp_path, split="test")


def test_among_several_files_instances_are_meant(tmp_path):
    write(tmp_path, name="captions_val.json")
    write(tmp_path, name="instances_val.json")
    assert len(open_coco(tmp_path)) == 2


def test_a_plain_folder_is_coco_where_boxes_are_wanted(tmp_path):
    write(tmp_path)
    assert len(open_dataset(str(tmp_path), DatasetOptions(modality="image", targets="boxes"), installed())) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (with_object(category_id=6), r"annotations\[0\] \(id 1\) has category_id 6, which is not among 'categories'"),
        (with_object(image_id=8), "has image_id 8, which is not among 'images'"),
        (with_object(image_id="7"), "has image_id '7', which is not among 'images'"),
        (with_object(id=2), "id 2 stands twice in 'annotations'"),
        (with_object(id=None), r"annotations\[0\] has id None, not a whole number"),
        (with_object(bbox=[1, 2, 3]), r"has bbox \[1, 2, 3\], not four numbers"),
        (with_object(bbox=[1, 2, float("nan"), 4]), "nan, 4.*not four numbers"),
        (with_object(bbox=None), "has bbox None, not four numbers"),
        (with_object(bbox=[1, 2, -3, 4]), "width or height is negative"),
        (with_object(bbox=[41, 2, 3, 4]), "wholly outside its picture of 40 x 30"),
        (with_object(bbox=[5, -9, 3, 4]), "wholly outside its picture of 40 x 30"),
        (with_object(area=-1), "has area -1, not a number from 0"),
        (with_object(iscrowd=2), "has iscrowd 2, neither 0 nor 1"),
        (annotation(images=annotation()["images"][:1] * 2), "id 7 stands twice in 'images'"),
        (annotation(images=[{"id": id, "file_name": "a.png"} for id in (7, 8)]), "'a.png' stands 2 times in 'images'"),
        (annotation(images=[{"id": 7}]), r"images\[0\] \(id 7\) has no 'file_name'"),
        (annotation(images=[]), "lists no pictures"),
        (annotation(categories=[{"id": 5}]), r"categories\[0\] \(id 5\) has no 'name'"),
        (annotation(annotations={}), "needs a list of objects 'annotations'; 'annotations' is another thing"),
        (annotation(annotations=[3]), "needs a list of objects 'annotations'"),
        ({"images": [], "boxes": []}, "needs a list of objects 'annotations'; it has 'images', 'boxes'"),
        ([1, 2], "no COCO JSON: it holds a list, not an object"),
    ],
)
def test_a_fault_names_the_file_and_the_entry(tmp_path, content, message):
    file = write(tmp_path, content)
    with pytest.raises(DatasetError, match=message) as caught:
        open_coco(file)
    assert repr(str(file)) in str(caught.value)


def test_missing_pictures_are_counted_and_one_is_named(tmp_path):
    file = write(tmp_path)
    (tmp_path / "b.png").unlink()
    with pytest.raises(DatasetError, match=r"1 of 2 pictures are missing under .*, such as 'b.png'"):
        open_coco(file)


@pytest.mark.parametrize("text", ["", "id,box\n1,2", '{"images": [', "\xff\xfe", "[" * 100_000])
def test_a_file_that_is_no_json_says_so(tmp_path, text):
    file = tmp_path / "annotation.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(DatasetError, match="is not JSON, or is cut off") as caught:
        open_coco(file)
    assert repr(str(file)) in str(caught.value)


def test_a_path_that_is_no_dataset_says_so(tmp_path):
    with pytest.raises(DatasetError, match="there is no such file or folder"):
        open_coco(tmp_path / "nothing")
    with pytest.raises(DatasetError, match=r"holds no COCO JSON \(\*.json\)"):
        open_coco(tmp_path)


def test_options_that_mean_nothing_here_say_so(tmp_path):
    file = write(tmp_path)
    with pytest.raises(OptionError, match=r"label_column='class' .* means nothing to dataset"):
        open_coco(file, label_column="class")
    with pytest.raises(OptionError, match="split='val' means nothing to one file"):
        open_coco(file, split="val")


def test_boxes_that_reach_beyond_their_picture_are_kept_and_counted(tmp_path):
    dataset = open_coco(write(tmp_path, with_object(bbox=[30, 20, 15, 5])))
    assert next(iter(dataset)).target.boxes[0] == (30, 20, 45, 25)
    assert dataset.note == "1 of 2 boxes reach beyond their picture"
    # COCO's own are rounded.
    assert open_coco(write(tmp_path, with_object(bbox=[30, 20, 10.5, 5]))).note == ""


@pytest.mark.assets
def test_real_coco_is_read_whole(assets):
    dataset = open_coco(assets / "data" / "coco_val_128")
    objects = [example.target for example in dataset]
    assert len(dataset) == 128
    assert dataset.labels is label_space("coco-91")
    assert sum(len(target.ids) for target in objects) == 987
    assert sum(map(sum, (target.crowd for target in objects))) == 10
    assert sum(not target.ids for target in objects) == 2
    assert all(example.input.is_file() for example in dataset)
