"""SAM's image encoder, faster and with the same result: the package's weights, another order of the same sums.

segment-anything's attention holds the scores of all pairs of tokens at once (0.8 GB a global block of ViT-B at full
size) and walks over them six times. Here they live block by block in the processor's cache, or inside torch's fused
kernel on other devices; the decomposed relative positions are exact in both. Tokens that only pad a window are not
multiplied: what the linear layer makes of their zeros is its bias.
"""

from typing import Any, cast

import torch
from segment_anything.modeling.image_encoder import (
    Attention,
    Block,
    ImageEncoderViT,
    get_rel_pos,
)
from torch import Tensor, nn
from torch.nn import functional

_SCORES_IN_CACHE = 1 << 20
"""Scores computed at once by one thread of a CPU: 4 MiB."""

_MORE_FOR_THREADS = 4
"""Times as many by several threads: each waits for the others after every block, long if neighbours hold a core."""

_ROWS_IN_CACHE = 1024
"""Tokens that pass the MLP at once on a CPU: 12 MiB for ViT-B."""


class FastEncoder(nn.Module):
    """Computes what `encoder`, the package's own, computes, with its parameters: (N, 3, S, S) -> (N, C, S/16, S/16).

    For inference: no gradients. Source of the attention: Kirillov et al., Segment Anything, 2023, and the package's
    `modeling/image_encoder.py`.
    """

    def __init__(self, encoder: ImageEncoderViT) -> None:
        super().__init__()
        self.encoder = encoder

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        """Encode normalised, padded images."""
        encoder = cast("Any", self.encoder)
        tokens: Tensor = encoder.patch_embed(images) + encoder.pos_embed
        tokens = tokens.contiguous()
        for block in encoder.blocks:
            _apply_block(block, tokens)
        return encoder.neck(tokens.permute(0, 3, 1, 2))


def _apply_block(block: Block, tokens: Tensor) -> None:
    """One transformer block, in place on tokens (N, H, W, C)."""
    size = (tokens.shape[1], tokens.shape[2])
    window = (block.window_size, block.window_size) if block.window_size else size
    tokens += _attention(block.attn, block.norm1(tokens), window)
    rows = tokens.view(-1, tokens.shape[-1])
    for part in rows.split(_ROWS_IN_CACHE) if rows.device.type == "cpu" else (rows,):
        part.add_(block.mlp(block.norm2(part)))


def _attention(attention: Attention, tokens: Tensor, window: tuple[int, int]) -> Tensor:
    """Self-attention of (N, H, W, C) within windows of (h, w) tokens, the last ones padded."""
    count, height, width, _ = tokens.shape
    (h, w), heads = window, attention.num_heads
    qkv = _padded(attention.qkv(tokens), attention.qkv.bias, window)
    down, across = qkv.shape[1] // h, qkv.shape[2] // w
    split = qkv.view(count, down, h, across, w, 3, heads, -1).permute(5, 0, 1, 3, 6, 2, 4, 7)
    found = _attend(attention, *split.reshape(3, -1, h, w, split.shape[-1]))
    joined = found.view(count, down, across, heads, h, w, -1).permute(0, 1, 4, 2, 5, 3, 6)
    joined = joined.reshape(count, down * h, across * w, -1)[:, :height, :width]
    return attention.proj(joined)


def _padded(qkv: Tensor, bias: Tensor, window: tuple[int, int]) -> Tensor:
    """Fill (N, H, W, 3 C) up to whole windows with what the linear layer makes of a token of zeros."""
    count, height, width, channels = qkv.shape
    rows, columns = (-(-size // side) * side for size, side in zip((height, width), window, strict=True))
    if (rows, columns) == (height, width):
        return qkv
    padded = qkv.new_empty(count, rows, columns, channels)
    padded[:, :height, :width] = qkv
    padded[:, :height, width:] = padded[:, height:] = bias.to(qkv.dtype)
    return padded


def _attend(attention: Attention, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of each of M heads within its window; all are (M, h, w, c)."""
    _, height, width, channels = q.shape
    # What a query adds to its scores for a key's row and for its column; from the unscaled query, as in the package.
    by_row = torch.einsum("mhwc,hkc->mhwk", q, get_rel_pos(height, height, attention.rel_pos_h).to(q.dtype))
    by_column = torch.einsum("mhwc,wkc->mhwk", q, get_rel_pos(width, width, attention.rel_pos_w).to(q.dtype))
    q, k, v, by_row, by_column = (tensor.flatten(1, 2) for tensor in (q, k, v, by_row, by_column))
    attend = _in_blocks if q.device.type == "cpu" and q.dtype == torch.float32 else _fused
    return attend(q, k, v, by_row, by_column, channels**-0.5)


def _in_blocks(q: Tensor, k: Tensor, v: Tensor, by_row: Tensor, by_column: Tensor, scale: float) -> Tensor:
    """softmax(scale q k' + by_row + by_column) v of each head.

    q, k, v: (M, T, c); by_row: (M, T, h); by_column: (M, T, w), with T = h w. Some heads, or some queries of one head,
    at a time, so that their scores stay in the cache.
    """
    heads, tokens, _ = q.shape
    at_once = _SCORES_IN_CACHE * (_MORE_FOR_THREADS if torch.get_num_threads() > 1 else 1)
    some = min(heads, max(1, at_once // tokens**2))
    rows = min(tokens, max(1, at_once // tokens))
    memory = torch.empty(some * rows * tokens)
    result = torch.empty_like(q)
    keys = k.transpose(1, 2)
    for first in range(0, heads, some):
        for start in range(0, tokens, rows):
            part = (slice(first, first + some), slice(start, start + rows))
            queries = q[part]
            scores = memory[: queries.shape[0] * queries.shape[1] * tokens].view(*queries.shape[:2], tokens)
            grid = scores.view(*queries.shape[:2], by_row.shape[-1], by_column.shape[-1])
            torch.add(by_row[part][..., None], by_column[part][..., None, :], out=grid)
            scores.baddbmm_(queries, keys[part[0]], alpha=scale)
            torch.softmax(scores, dim=-1, out=scores)
            torch.bmm(scores, v[part[0]], out=result[part])
    return result


def _fused(q: Tensor, k: Tensor, v: Tensor, by_row: Tensor, by_column: Tensor, scale: float) -> Tensor:
    """As `_in_blocks`, by torch's fused kernel, without a tensor of all pairs.

    The relative positions become channels: a query's are (scale q, by_row, by_column), a key's (k, its row, its column
    as one-hot vectors), so that their product is the score. Values are padded with zeros, since the kernels want equal
    widths, and cut afterwards.
    """
    height, width, channels = by_row.shape[-1], by_column.shape[-1], q.shape[-1]
    rows = torch.eye(height, dtype=q.dtype, device=q.device).repeat_interleave(width, dim=0)
    columns = torch.eye(width, dtype=q.dtype, device=q.device).repeat(height, 1)
    pad = -(channels + height + width) % 8
    queries = functional.pad(torch.cat([scale * q, by_row, by_column], dim=-1), (0, pad))
    places = functional.pad(torch.cat([rows, columns], dim=-1), (0, pad)).expand(len(k), -1, -1)
    keys = torch.cat([k, places], dim=-1)
    values = functional.pad(v, (0, height + width + pad))
    found = functional.scaled_dot_product_attention(queries[None], keys[None], values[None], scale=1.0)
    return found[0, ..., :channels]
