"""Makes the parquet files in this folder.

    python3 crates/data/tests/parquet/make_parquet.py

Needs `pillow`, `numpy` and `pyarrow` (made with pyarrow 26.0.1). Picture `i` of a file is a
PNG of 5 by 4 pixels, of which pixel `(x, y)` is `(i, x, y)`.
"""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

HERE = Path(__file__).parent
W, H = 5, 4
ANIMALS = ["cat", "dog", "emu"]


def png(i):
    x, y = np.meshgrid(np.arange(W), np.arange(H))
    pixels = np.stack([np.full_like(x, i), x, y], -1).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def structs(numbers):
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": png(i), "path": f"n{i}.png"} for i in numbers]
    return pa.array(rows, kind)


def described(table, column, names):
    """What the library `datasets` writes about a column of classes."""
    features = {"image": {"_type": "Image"}, column: {"names": names, "_type": "ClassLabel"}}
    info = {"info": {"features": features}}
    return table.replace_schema_metadata({"huggingface": json.dumps(info)})


def write(path, table, **options):
    path = HERE / path
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)


def hub():
    """Two splits in data/, as the hub keeps them: row groups of three rows."""
    parts = {"train-00000-of-00002": range(0, 7), "train-00001-of-00002": range(7, 12),
             "validation-00000-of-00001": range(20, 24)}
    for name, numbers in parts.items():
        labels = pa.array([i % 3 for i in numbers], pa.int64())
        table = pa.table({"image": structs(numbers), "label": labels})
        write(f"hub/data/{name}.parquet", described(table, "label", ANIMALS),
              row_group_size=3, compression="snappy")


def cifar():
    """A folder for each split, other names, other pages and another compression."""
    for name, numbers in {"train": range(0, 9), "test": range(30, 34)}.items():
        fine = pa.array([i % 4 for i in numbers], pa.int32())
        table = pa.table({"img": structs(numbers), "fine_label": fine,
                          "coarse_label": pa.array([0] * len(fine), pa.int32())})
        write(f"cifar/{name}/0000.parquet", table, compression="gzip",
              data_page_version="2.0", row_group_size=4)


def plain():
    """Bytes without a struct, in pages of one row, with and without a dictionary."""
    for name, dictionary in {"train": True, "val": False}.items():
        numbers = range(0, 8)
        fields = [pa.field("image", pa.binary(), nullable=False),
                  pa.field("label", pa.int64(), nullable=False)]
        columns = [pa.array([png(i // 2) for i in numbers], pa.binary()),
                   pa.array([i // 2 for i in numbers], pa.int64())]
        table = pa.Table.from_arrays(columns, schema=pa.schema(fields))
        write(f"plain/{name}.parquet", table, compression="zstd", use_dictionary=dictionary,
              data_page_size=1, write_batch_size=1)


def odd():
    """Files with something wrong, each a training set of its own."""
    pictures, labels = structs(range(4)), pa.array([0, 1, 0, 1], pa.int64())
    nothing = pa.array([None] * 4, pictures.type)
    tables = {
        "label_null": {"image": pictures, "label": pa.array([0, None, 1, 1], pa.int64())},
        "label_secret": {"image": pictures, "label": pa.array([-1] * 4, pa.int64())},
        "label_negative": {"image": pictures, "label": pa.array([0, 1, -7, 1], pa.int64())},
        "label_text": {"image": pictures, "label": pa.array(["a", "b", "c", "d"])},
        "label_list": {"image": pictures, "label": pa.array([[0], [1], [2, 3], []])},
        "label_huge": {"image": pictures, "label": pa.array([0, 1, 1 << 40, 1], pa.int64())},
        "no_label": {"image": pictures, "text\x1b": labels},
        "image_number": {"image": labels, "label": labels},
        "image_null": {"image": pa.concat_arrays([pictures.slice(0, 3), nothing.slice(0, 1)]),
                       "label": labels},
        "image_text": {"image": pa.array([png(0), b"<html>", png(2), b""], pa.binary()),
                       "label": labels},
        "empty": {"image": pictures.slice(0, 0), "label": labels.slice(0, 0)},
    }
    for name, columns in tables.items():
        write(f"odd/{name}/train.parquet", pa.table(columns))
    good = pa.table({"image": pictures, "label": labels})
    write("odd/too_few_names/train.parquet", described(good, "label", ["one"]))
    write("odd/names_no_texts/train.parquet", described(good, "label", [1, 2]))
    bad_json = good.replace_schema_metadata({"huggingface": "{"})
    write("odd/bad_json/train.parquet", bad_json)
    write("odd/other_names/train-0.parquet", described(good, "label", ["a", "b"]))
    write("odd/other_names/train-1.parquet", described(good, "label", ["a", "c"]))
    write("odd/brotli/train.parquet", good, compression="brotli")
    write("odd/part_missing/train-00001-of-00002.parquet", good)


if __name__ == "__main__":
    hub()
    cifar()
    plain()
    odd()
