"""One product on the GPU, in a process sealed as a method's is: whether a run can compute there, and what it sees."""

import time
from contextlib import ExitStack
from typing import Any

from unseg_bench.errors import RunError
from unseg_bench.plugins.device import CPU, Device, confirm_device, confirm_driver, peak_memory, settle_device
from unseg_bench.run.session.seal import kernel_obstacle, socket_probes
from unseg_bench.sandbox import policy
from unseg_bench.sandbox.channel import Channel, Message
from unseg_bench.sandbox.process import NotSealed, SandboxProcess
from unseg_bench.sandbox.wire import describe_error
from unseg_bench.sandbox.workspace import Workspace

_SIDE = 512
"""Of the two matrices. Their entries are whole numbers, so that the product is exact in any precision."""


def check_gpu() -> dict[str, Any]:
    """Compute one product on this machine's GPU, sealed where the kernel can; return what was seen, as JSON values.

    Raises RunError that says what is wrong and what to do: no GPU, none inside the seal, or a wrong product.
    """
    device = settle_device("auto")
    if device.kind == CPU:
        why = device.unused or "no driver shows one"
        raise RunError(
            f"no GPU is used here: {why}. `nvidia-smi` shows what the system has; CUDA_VISIBLE_DEVICES hides GPUs, and "
            "a container needs to be given them (docker: --gpus all)"
        )
    obstacle = kernel_obstacle()
    with ExitStack() as stack:
        workspace = Workspace(None)
        stack.callback(workspace.leave)
        sealed = [*policy.interpreter_rules([], []), *workspace.rules, *policy.gpu_rules()]
        rules, probes = (sealed, socket_probes()) if obstacle is None else (None, ())
        try:
            process = stack.enter_context(
                SandboxProcess(
                    workspace, rules, probes, f"{__name__}:serve", {"device": device.to_json()}, _refuse, print
                )
            )
        except NotSealed as error:
            raise RunError(f"a process with a GPU cannot be sealed here: {error}") from None
        seen, _ = process.call("multiply", {})
    if not seen["right"]:
        raise RunError(f"{device.text} multiplies wrongly inside the seal: look for a damaged GPU or driver")
    del seen["right"]
    return {"device": device.text, "sealed": "yes" if obstacle is None else f"no: {obstacle}", **seen}


def _refuse(question: Message) -> tuple[Message, list[int]]:
    raise RunError(f"{question['ask']} cannot be asked for here")


def serve(channel: Channel, given: Message) -> None:
    """Answer the one call of `check_gpu`, in the process that is sealed."""
    channel.receive()
    try:
        answer: Message = _multiply(Device.from_json(given["device"]))
    except Exception as error:  # noqa: BLE001 - whatever the driver and torch raise is told
        answer = {"raised": describe_error(error)}
    channel.send(answer)


def _multiply(device: Device) -> dict[str, Any]:
    started = time.monotonic()
    confirm_driver(device)
    confirm_device(device.name)
    import torch

    ready = time.monotonic() - started
    ones = torch.ones(_SIDE, _SIDE)
    right = bool((ones.to(device.name) @ ones.to(device.name)).cpu().eq(_SIDE).all())
    return {
        "right": right,
        "torch": torch.__version__,
        "seconds to start": round(ready, 1),
        "peak memory": peak_memory(device.name),
    }
