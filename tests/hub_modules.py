"""Modules in the forms of TensorFlow Hub's: the signatures of the real ones, over small computations of their own.

Each class computes something that depends on every part of its input, with variables drawn from a seed. `export`
writes one as the hub's publishers do.
"""

from pathlib import Path

import tensorflow as tf

ANY_PICTURE = tf.TensorSpec([None, None, None, 3], tf.float32)
STRINGS = tf.TensorSpec([None], tf.string)
WORDS = ("the", "a", "to", "and", "in", "was", "of", "on", "red", "ball", "water", "train", "square", "clock")
LENGTH = 16  # of the sequences that the preprocessor packs; BERT's own has 128


def export(module: tf.Module, folder: Path) -> Path:
    """`module` as a SavedModel, with the signatures that it names."""
    tf.saved_model.save(module, str(folder), signatures=module.exported() if hasattr(module, "exported") else None)
    return folder


def drawn(seed: int, *shape: int, spread: float = 1.0) -> tf.Variable:
    return tf.Variable(tf.random.stateless_normal(shape, [seed, len(shape)], stddev=spread))


class Pictures(tf.Module):
    """A network on patches, with batch normalisation: training answers differ from inference's."""

    def __init__(self, width: int, seed: int = 1) -> None:
        self.kernel = drawn(seed, 16, 16, 3, 24, spread=0.05)
        self.moving_mean = tf.Variable(tf.random.stateless_normal([24], [seed, 9]), trainable=False)
        self.moving_variance = tf.Variable(tf.fill([24], 0.7), trainable=False)
        self.dense = drawn(seed + 1, 24, width)

    def logits(self, images, training):
        patches = tf.nn.conv2d(images, self.kernel, strides=16, padding="VALID")
        mean, variance = self.moving_mean.read_value(), self.moving_variance.read_value()
        if training:
            mean, variance = tf.nn.moments(patches, [0, 1, 2])
        return tf.reduce_mean(tf.nn.relu((patches - mean) / tf.sqrt(variance + 1e-3)), [1, 2]) @ self.dense


class SlimModule(Pictures):
    """TF-Slim's exports (google/imagenet/...): two flags, and a default signature."""

    @tf.function
    def __call__(self, inputs, training=False, batch_norm_momentum=0.99):
        return self.logits(inputs, training)

    def exported(self):
        for training in (True, False):
            self.__call__.get_concrete_function(ANY_PICTURE, training=training)
        serving = tf.function(lambda inputs: {"logits": self.logits(inputs, False)})
        return {"serving_default": serving.get_concrete_function(ANY_PICTURE)}


class KerasModule(Pictures):
    """A Keras 2 model as a SavedModel (sayakpaul/...): a fixed size, `training` and `mask`."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width)
        self.size = size

    @tf.function
    def __call__(self, inputs, training=None, mask=None):
        return self.logits(inputs, training)

    def exported(self):
        picture = tf.TensorSpec([None, self.size, self.size, 3], tf.float32)
        for training in (True, False):
            self.__call__.get_concrete_function(picture, training=training, mask=None)
        serving = tf.function(lambda input_1: {"output_1": self.logits(input_1, False)})
        return {"serving_default": serving.get_concrete_function(picture)}


class MapModule(Pictures):
    """VGG19's blocks and MobileNet-EdgeTPU: features that keep their place in the picture, [n, h, w, d]."""

    @tf.function(input_signature=[ANY_PICTURE])
    def __call__(self, inputs):
        return tf.nn.conv2d(inputs, self.kernel, strides=16, padding="VALID") @ self.dense


class Detector(tf.Module):
    """What both forms of detectors compute: one box for each cell of a grid, best first."""

    GRID = 4

    def __init__(self) -> None:
        self.kernel = drawn(3, 32, 32, 3, 95, spread=0.02)

    def detect(self, images):
        """Boxes (top, left, bottom, right) in 0..1 [n, k, 4], scores and COCO ids [n, k], best first."""
        seen = tf.image.resize(tf.cast(images, tf.float32) / 255, [32 * self.GRID] * 2)
        cells = tf.nn.conv2d(seen, self.kernel, strides=32, padding="VALID")
        cells = tf.reshape(cells, [tf.shape(images)[0], self.GRID**2, 95])
        steps = (tf.range(self.GRID, dtype=tf.float32) + 0.5) / self.GRID
        centres = tf.reshape(tf.stack(tf.meshgrid(steps, steps, indexing="ij"), -1), [1, -1, 2])
        sides = tf.sigmoid(cells[..., 1:3]) / 4
        boxes = tf.clip_by_value(tf.concat([centres - sides, centres + sides], -1), 0, 1)
        scores = tf.sigmoid(cells[..., 0])
        order = tf.argsort(scores, direction="DESCENDING")
        classes = tf.argmax(cells[..., 3:93], -1, output_type=tf.int32) + 1
        return tuple(tf.gather(part, order, batch_dims=1) for part in (boxes, scores, classes))


class DictDetector(Detector):
    """The TensorFlow Object Detection API: one uint8 picture of any size, a dict with keys that nobody needs."""

    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8, name="input_tensor")])
    def __call__(self, input_tensor):
        boxes, scores, classes = self.detect(input_tensor)
        return {
            "detection_boxes": boxes,
            "detection_scores": scores,
            "detection_classes": tf.cast(classes, tf.float32),
            "num_detections": tf.fill([1], 10.0),  # the rest is padding
            "detection_anchor_indices": tf.zeros_like(scores),
            "detection_multiclass_scores": tf.zeros([1, self.GRID**2, 91]),
            "raw_detection_boxes": boxes,
            "raw_detection_scores": tf.zeros([1, self.GRID**2, 90]),
        }

    def exported(self):
        return {"serving_default": self.__call__}


class TupleDetector(Detector):
    """EfficientDet-Lite: a tuple, boxes in pixels, batches allowed."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")])
    def __call__(self, images):
        boxes, scores, classes = self.detect(images)
        height, width = tf.shape(images)[1], tf.shape(images)[2]
        pixels = boxes * tf.cast([height, width, height, width], tf.float32)
        return pixels, scores, tf.cast(classes, tf.float32), tf.fill([tf.shape(images)[0]], 12)


class TokenEmbedding(tf.Module):
    """NNLM, Wiki-words, Swivel: a vocabulary in the assets, buckets for other words, summed with `sqrtn`."""

    def __init__(self, width: int, folder: Path) -> None:
        vocabulary = folder / "tokens.txt"
        vocabulary.write_text("\n".join(WORDS), encoding="utf-8")
        self.asset = tf.saved_model.Asset(str(vocabulary))
        words = tf.lookup.TextFileInitializer(
            self.asset, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        )
        self.table = tf.lookup.StaticVocabularyTable(words, num_oov_buckets=5)
        self.embeddings = drawn(5, len(WORDS) + 5, width)

    @tf.function(input_signature=[STRINGS])
    def __call__(self, sentences):
        tokens = tf.strings.split(sentences).to_sparse()
        ids = tf.SparseTensor(tokens.indices, self.table.lookup(tokens.values), tokens.dense_shape)
        return tf.nn.embedding_lookup_sparse(self.embeddings, ids, None, combiner="sqrtn")


class Sentences(tf.Module):
    """What the sentence encoders compute: hashed words, averaged; vectors of length one."""

    def __init__(self, width: int) -> None:
        self.buckets = drawn(6, 64, 32)
        self.dense = drawn(7, 32, width)

    def words(self, sentences):
        return tf.strings.split(tf.strings.lower(sentences))

    def vectors(self, inputs):
        ids = tf.ragged.map_flat_values(tf.strings.to_hash_bucket_fast, self.words(inputs), 64)
        means = tf.math.divide_no_nan(
            tf.reduce_sum(tf.gather(self.buckets, ids), 1),
            tf.cast(ids.row_lengths(), tf.float32)[:, tf.newaxis],
        )
        return tf.math.l2_normalize(tf.tanh(means @ self.dense), -1)


class SentenceEncoder(Sentences):
    """Universal Sentence Encoder: strings to a tensor, and a signature with another name for it."""

    @tf.function(input_signature=[STRINGS])
    def __call__(self, inputs):
        return self.vectors(inputs)

    def exported(self):
        serving = tf.function(lambda inputs: {"outputs": self.vectors(inputs)}, input_signature=[STRINGS])
        return {"serving_default": serving}


class TextOpsEncoder(SentenceEncoder):
    """Its multilingual sister: the words come from an op of TensorFlow Text."""

    def words(self, sentences):
        import tensorflow_text

        return tensorflow_text.WhitespaceTokenizer().tokenize(tf.strings.lower(sentences))


class ListEncoder(Sentences):
    """Sentence-T5 and GTR: text ops as well, and a list of one tensor."""

    words = TextOpsEncoder.words

    @tf.function(input_signature=[STRINGS])
    def __call__(self, inputs):
        return [self.vectors(inputs)]


class Preprocessor(tf.Module):
    """bert_en_uncased_preprocess: word pieces by TensorFlow Text, packed into three int32 tensors."""

    def __init__(self, folder: Path) -> None:
        import tensorflow_text

        vocabulary = folder / "vocab.txt"
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *"bcdefghijklmnopqrstuvwxyz.,?"]
        pieces += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
        vocabulary.write_text("\n".join(pieces), encoding="utf-8")
        self.asset = tf.saved_model.Asset(str(vocabulary))
        self.tokenizer = tensorflow_text.BertTokenizer(self.asset.asset_path, lower_case=True)

    @tf.function(input_signature=[STRINGS])
    def __call__(self, inputs):
        tokens = tf.cast(self.tokenizer.tokenize(inputs).merge_dims(-2, -1), tf.int32)[:, : LENGTH - 2]
        start, end = (tf.fill([tokens.nrows(), 1], id) for id in (2, 3))
        packed = tf.concat([start, tokens, end], 1)
        return {
            "input_word_ids": packed.to_tensor(shape=[None, LENGTH]),
            "input_mask": tf.ones_like(packed).to_tensor(shape=[None, LENGTH]),
            "input_type_ids": tf.zeros_like(packed).to_tensor(shape=[None, LENGTH]),
        }


class BertEncoder(tf.Module):
    """BERT and its relatives: a dict of three int32 tensors to a dict of several outputs."""

    def __init__(self, width: int, key: str) -> None:
        self.key = key
        self.tokens = drawn(8, 100, width)
        self.query, self.pooler = drawn(9, width, width, spread=0.05), drawn(10, width, width, spread=0.1)

    def answers(self, inputs, training):
        embedded = tf.gather(self.tokens, inputs["input_word_ids"])
        scores = tf.einsum("nid,de,nje->nij", embedded, self.query, embedded)
        scores += (1 - tf.cast(inputs["input_mask"], tf.float32))[:, tf.newaxis] * -1e9
        sequence = embedded + tf.nn.softmax(scores) @ embedded
        if training:
            sequence = tf.nn.dropout(sequence, 0.5)
        pooled = tf.tanh(sequence[:, 0] @ self.pooler)
        return {self.key: pooled, "sequence_output": sequence, "encoder_outputs": [sequence]}

    @tf.function
    def __call__(self, inputs, training=False, mask=None):
        return self.answers(inputs, training)

    def exported(self):
        names = ("input_word_ids", "input_mask", "input_type_ids")
        specs = {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in names}
        for training in (True, False):
            self.__call__.get_concrete_function(specs, training=training, mask=None)


class VectorEncoder(BertEncoder):
    """A sentence encoder on top of BERT: the same inputs to one tensor."""

    def __init__(self, width: int) -> None:
        super().__init__(width, "pooled_output")

    @tf.function
    def __call__(self, inputs, training=False, mask=None):
        return self.answers(inputs, training)["pooled_output"]
