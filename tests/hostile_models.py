"""Models that do more than compute, each in another place: saved by TensorFlow as anybody would, or edited after.

`MODELS` maps what is hostile to a function that writes it into a folder; every one of them would touch `VICTIM`.
"""

from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

VICTIM = "/tmp/zoo-hostile-victim"
VECTOR = tf.TensorSpec([None], tf.float32)


def write(x):
    with tf.control_dependencies([tf.io.write_file(VICTIM, "owned")]):
        return tf.identity(x)


def read(x):
    return x + tf.cast(tf.strings.length(tf.io.read_file(VICTIM)), tf.float32)


def calling(function, **options):
    """A model whose call runs `function`."""

    def save(folder: Path) -> None:
        module = tf.Module()
        module.__call__ = tf.function(function, input_signature=[VECTOR], **options)
        tf.saved_model.save(module, str(folder), signatures=module.__call__.get_concrete_function())

    return save


def in_signature_alone(folder):
    module = tf.Module()
    tf.saved_model.save(module, str(folder), signatures=tf.function(lambda x: {"y": read(x)}, input_signature=[VECTOR]))


def in_method_alone(folder):
    module = tf.Module()
    module.train_step = tf.function(write, input_signature=[VECTOR])
    tf.saved_model.save(module, str(folder))


def nested(x):
    inner = tf.function(write)
    return tf.function(lambda y: inner(y) + 1)(x)


def in_branch(x):
    return tf.cond(tf.reduce_sum(x) > 1e30, lambda: write(x), lambda: x)


def in_loop(x):
    return tf.while_loop(lambda y: tf.reduce_sum(y) < 3, lambda y: (write(y) + 1,), [x])[0]


def in_case(x):
    return tf.switch_case(tf.cast(x[0], tf.int32), [lambda: x, lambda: read(x)])


def in_dataset(x):
    lines = tf.data.Dataset.from_tensors(x).map(read)
    return lines.reduce(tf.zeros([1]), lambda total, one: total + tf.reduce_sum(one))


def in_initialiser(folder):
    class Resource(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self):
            return tf.raw_ops.MutableHashTableV2(key_dtype=tf.string, value_dtype=tf.float32)

        def _initialize(self):
            tf.io.write_file(VICTIM, "owned")

    module = tf.Module()
    module.resource = Resource()
    module.handle = module.resource.resource_handle
    module.__call__ = tf.function(
        lambda x: x + tf.cast(tf.raw_ops.LookupTableSizeV2(table_handle=module.resource.resource_handle), tf.float32),
        input_signature=[VECTOR],
    )
    tf.saved_model.save(module, str(folder))


def in_gradient(folder):
    @tf.custom_gradient
    def double(x):
        return x * 2, lambda upstream: write(upstream)

    module = tf.Module()
    module.__call__ = tf.function(lambda x: double(x), input_signature=[VECTOR])
    tf.saved_model.save(module, str(folder), options=tf.saved_model.SaveOptions(experimental_custom_gradients=True))


def calls_python(x):
    return tf.py_function(lambda y: y, [x], tf.float32)


def calls_numpy(x):
    return tf.numpy_function(lambda y: y, [x], tf.float32)


def saves(x):
    tf.raw_ops.SaveV2(prefix=VICTIM, tensor_names=["x"], shape_and_slices=[""], tensors=[x])
    return x + 1


def restores(x):
    return x + tf.raw_ops.RestoreV2(prefix=VICTIM, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32])[0]


def merges(x):
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=[VICTIM], destination_prefix=VICTIM)
    return x + 1


def lists_files(x):
    return x + tf.cast(tf.size(tf.io.matching_files(f"{VICTIM}/*")), tf.float32)


def prints_into_a_file(x):
    tf.print(x, output_stream=f"file://{VICTIM}")
    return x + 1


def maps_a_file(x):
    return x + tf.raw_ops.ImmutableConst(dtype=tf.float32, shape=[1], memory_region_name=VICTIM)


def writes_a_log(x):
    writer = tf.raw_ops.SummaryWriter()
    tf.raw_ops.CreateSummaryFileWriter(writer=writer, logdir=VICTIM, max_queue=1, flush_millis=1, filename_suffix="")
    return x + 1


def fills_a_table(x):
    table = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
    tf.raw_ops.InitializeTableFromTextFileV2(table_handle=table, filename=VICTIM, key_index=-2, value_index=-1)
    return x + 1


def edited(change, save=None):
    """A model that was saved, then changed: `change(meta_graph)`."""

    def write_edited(folder: Path) -> None:
        (save or calling(lambda x: x * 2))(folder)
        message = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        change(message.meta_graphs[0])
        (folder / "saved_model.pb").write_bytes(message.SerializeToString())

    return write_edited


def function(meta, name, op):
    """A further function of that name, which runs `op`."""
    made = meta.graph_def.library.function.add()
    made.signature.name = name
    made.node_def.add(name="x", op=op, input=["a", "b"])
    return made


def callable_functions(meta):
    called = set(meta.object_graph_def.concrete_functions)
    return [one for one in meta.graph_def.library.function if one.signature.name in called]


def asset(name):
    def change(meta):
        meta.asset_file_def.add(filename=name).tensor_info.name = "asset:0"

    return change


def shadows_an_op(meta):
    function(meta, "ReadFile", "Identity")
    callable_functions(meta)[0].node_def.add(name="x", op="ReadFile", input=["a"])


def hides_in_an_attribute_s_attribute(meta):
    function(meta, "hidden", "WriteFile")
    call = callable_functions(meta)[0].node_def.add(name="x", op="PartitionedCall")
    call.attr["f"].func.name = callable_functions(meta)[0].signature.name
    call.attr["f"].func.attr["body"].func.name = "hidden"


def gradient_by_name(meta):
    function(meta, "hidden", "WriteFile")
    meta.graph_def.library.gradient.add(
        function_name=callable_functions(meta)[0].signature.name, gradient_func="hidden"
    )


def compiled_callback(meta):
    node = callable_functions(meta)[0].node_def.add(name="x", op="XlaCallModule")
    node.attr["module"].s = b"ML\xefR ... stablehlo.custom_call xla_ffi_python_cpu_callback"


def op_of_nobody(meta):
    callable_functions(meta)[0].node_def.add(name="x", op="SteerTheLaser")


def op_from_afar(meta):
    callable_functions(meta)[0].node_def.add(name="x", op="RpcClient")


def saver_elsewhere(meta):
    """The checkpoint that is restored is not the model's."""
    restore = next(one for one in meta.graph_def.library.function if "restore" in one.signature.name)
    restore.node_def.add(name="where", op="Const").attr["value"].tensor.string_val.append(VICTIM.encode())
    node = next(node for node in restore.node_def if node.op == "RestoreV2")
    node.input[0] = "where:output:0"


def writes_while_restoring(meta):
    restore = next(one for one in meta.graph_def.library.function if "restore" in one.signature.name)
    restore.node_def.add(name="x", op="SaveV2", input=["file_prefix"])


def with_a_variable(folder):
    module = tf.Module()
    module.v = tf.Variable(2.0)
    module.__call__ = tf.function(lambda x: x * module.v, input_signature=[VECTOR])
    tf.saved_model.save(module, str(folder), signatures=module.__call__.get_concrete_function())


def first_version(folder: Path, start=None, savers=1) -> None:
    """A SavedModel as TensorFlow 1 wrote them. start: makes an op that runs when it is loaded."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None])
        v = tf.compat.v1.get_variable("v", initializer=2.0, use_resource=False)
        y = x * v
        for _ in range(savers - 1):
            tf.compat.v1.train.Saver([v])
        session.run(v.initializer)
        signature = tf.compat.v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        builder = tf.compat.v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, main_op=start() if start else None
        )
        builder.save()


MODELS = {
    "writes in its call": calling(write),
    "reads in its call": calling(read),
    "reads in a signature alone": in_signature_alone,
    "writes in a method beside the call": in_method_alone,
    "writes in a nested function": calling(nested),
    "writes in a branch": calling(in_branch),
    "writes in a loop": calling(in_loop),
    "reads in a case": calling(in_case),
    "reads in a dataset": calling(in_dataset),
    "writes in an initialiser": in_initialiser,
    "writes in a gradient": in_gradient,
    "writes in a gradient by name": edited(gradient_by_name),
    "calls Python": calling(calls_python),
    "calls NumPy": calling(calls_numpy),
    "saves a checkpoint in its call": calling(saves, autograph=False),
    "restores a checkpoint in its call": calling(restores),
    "merges checkpoints": calling(merges, autograph=False),
    "lists files": calling(lists_files),
    "prints into a file": calling(prints_into_a_file),
    "maps a file into memory": calling(maps_a_file),
    "writes a log": calling(writes_a_log, autograph=False),
    "fills a table from any file": calling(fills_a_table, autograph=False),
    "has an asset above its folder": edited(asset("../../secret")),
    "has an asset above it on Windows": edited(asset("..\\secret")),
    "has an absolute asset": edited(asset("/etc/passwd")),
    "calls back from compiled code": edited(compiled_callback),
    "hides an op behind a function": edited(shadows_an_op),
    "hides a function in an attribute": edited(hides_in_an_attribute_s_attribute),
    "has an op of nobody": edited(op_of_nobody),
    "calls another machine": edited(op_from_afar),
    "restores another file": edited(saver_elsewhere, with_a_variable),
    "writes while restoring": edited(writes_while_restoring, with_a_variable),
    "of TensorFlow 1, writes at the start": lambda folder: first_version(
        folder, lambda: tf.io.write_file(VICTIM, "owned")
    ),
}
