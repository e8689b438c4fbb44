"""Writes `zoo/safe_ops.txt` and `zoo/text_ops.txt`, the ops of tensorflow-text: `python -m zoo.safety_ops`.

An op without state computes from its inputs only, unless its name tells otherwise; of those with state only the kinds
listed here are let in: variables, random numbers, control flow, tables, lists, and what else lives in memory.
"""

from __future__ import annotations

import re
from pathlib import Path

_STATELESS_REFUSED = re.compile(
    r"File|PyFunc|Save|Restore|^Reader|Dataset|Rpc|Send|Recv|Checkpoint|CustomCall|TPU|Tpu|Debug|Iterator|Stats|Summary"
    r"|^Encode(?:Wav|Proto)|DecodeProto|^_|CustomAggregator|HostC|Barrier|Collective|Nccl"
)
_STATEFUL_ALLOWED = re.compile(
    r"(?:Stateful)?(?:Partitioned(?:Call)|RandomBinomial|StandardNormal(?:V2)?|TruncatedNormal|Uniform(?:Int|FullInt)?)"
    r"|VarHandleOp|ReadVariableOp|Assign(?:Add|Sub)?VariableOp|VarIsInitializedOp|VariableShape|Variable(?:V2)?"
    r"|DestroyResourceOp|DisableCopyOnRead|Resource(?:Gather|GatherNd|StridedSliceAssign|CountUpTo|Scatter\w+|Apply\w+"
    r"|SparseApply\w+)|(?:Anonymous)?(?:Mutable)?(?:Dense)?HashTable(?:OfTensors)?(?:V2)?|LookupTable\w+"
    r"|InitializeTableV2|TensorArray\w*|Stack(?:Push|Pop|Close)?(?:V2)?|If|While|Case|RandomUniform(?:Int)?"
    r"|RandomStandardNormal|RandomShuffle|RandomCrop|RandomGamma|RandomPoisson(?:V2)?|ParameterizedTruncatedNormal"
    r"|TruncatedNormal|Multinomial|SampleDistortedBoundingBox(?:V2)?|RngSkip|RngReadAndSkip|NonDeterministicInts"
    r"|StatelessRandomGetAlg|Assert|CheckNumerics(?:V2)?|CudnnRNN\w*|XlaCallModule|Empty|GuaranteeConst|DeviceIndex"
    r"|TemporaryVariable|IsResourceHandleRefCounting|Print(?:V2)?|Timestamp"
)
# PrintV2 can write to any file (`output_stream` takes `file://`), GenerateVocabRemapping reads one, Abort ends the
# process, Copy and CopyHost serve the debugger, which writes to addresses, ImmutableConst reads the file that it names.
_REFUSED_ANYWAY = {"PrintV2", "GenerateVocabRemapping", "Abort", "Copy", "CopyHost", "ImmutableConst"}


def main() -> None:
    """Write both lists beside this module."""
    import tensorflow  # noqa: F401 - fills the registry

    own = _registered()
    safe = {name for name, stateful in own.items() if name not in _REFUSED_ANYWAY and _is_safe(name, stateful)}
    import tensorflow_text  # noqa: F401 - adds its ops, which take all they need as tensors and attributes

    for file, ops in (("safe_ops.txt", safe), ("text_ops.txt", _registered().keys() - own.keys())):
        (Path(__file__).parent / file).write_text("\n".join(sorted(ops)) + "\n", encoding="utf-8")


def _registered() -> dict[str, bool]:
    """The ops that are registered now, and whether each has state."""
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session as session

    registry = op_def_pb2.OpList()
    registry.ParseFromString(session.TF_GetBuffer(session.TF_GetAllOpList()))
    return {op.name: op.is_stateful for op in registry.op}


def _is_safe(name: str, stateful: bool) -> bool:
    return bool(_STATEFUL_ALLOWED.fullmatch(name)) if stateful else not _STATELESS_REFUSED.search(name)


if __name__ == "__main__":
    main()
