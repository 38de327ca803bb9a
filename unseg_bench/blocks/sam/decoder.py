"""SAM's mask decoder for many prompts of one slice, faster and with the same result: other orders of the same sums.

Three things are saved against segment-anything's own. What several prompts share (the image's keys, values and queries
of the first layer) is computed once. Elsewhere a projection of 4096 image positions is moved to the few tokens:
(x W) t' = x (t W')'. And a mask is drawn only if somebody wants it, since its predicted IoU is known before.
"""

from dataclasses import dataclass
from typing import Any

import torch
from segment_anything.modeling import Sam
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Answers:
    """What the decoder knows of B prompts before masks are drawn.

    `image`: (B, N, C), the slice's N positions as each prompt sees them; `mask_tokens`: (B, 4, C); `predicted_iou`:
    (B, 4). Output 0 is SAM's single mask, 1 to 3 are the alternatives of an ambiguous prompt.
    """

    image: Tensor
    mask_tokens: Tensor
    predicted_iou: Tensor


class FastDecoder:
    """Computes what the package's `PromptEncoder` and `MaskDecoder` compute, with their parameters.

    For inference. Source of the steps: the package's `modeling/mask_decoder.py` and `modeling/transformer.py`.
    """

    def __init__(self, sam: Sam) -> None:
        self._prompts: Any = sam.prompt_encoder
        self._decoder: Any = sam.mask_decoder

    @torch.inference_mode()
    def ask(self, features: Tensor, points: tuple[Tensor, Tensor] | None, boxes: Tensor | None) -> Answers:
        """Put prompts to a slice: `features` (1, C, h, w), `points` ((B, P, 2), (B, P)) and `boxes` (B, 4) as the
        package's `predict_torch` takes them.
        """
        sparse, dense = self._prompts(points=points, boxes=boxes, masks=None)
        own = torch.cat([self._decoder.iou_token.weight, self._decoder.mask_tokens.weight])
        tokens = torch.cat([own.expand(len(sparse), -1, -1), sparse], dim=1)
        image = (features + dense[:1]).flatten(2).transpose(1, 2)
        places = self._prompts.get_dense_pe().flatten(2).transpose(1, 2)
        found, image = _two_way(self._decoder.transformer, image.contiguous(), places.contiguous(), tokens)
        iou = self._decoder.iou_prediction_head(found[:, 0])
        return Answers(image, found[:, 1 : 1 + self._decoder.num_mask_tokens], iou)

    @torch.inference_mode()
    def draw(self, answers: Answers, prompts: Tensor, outputs: Tensor) -> Tensor:
        """Logits (M, 4 h, 4 w) of M masks: output `outputs[m]` of prompt `prompts[m]`, both (M,) of int64."""
        asked, row = torch.unique(prompts, return_inverse=True)
        tokens = answers.mask_tokens[asked]
        heads = self._decoder.output_hypernetworks_mlps
        hyper = torch.stack([head(tokens[:, index]) for index, head in enumerate(heads)], dim=1)
        grid = self._prompts.image_embedding_size
        image = answers.image if len(asked) == len(answers.image) else answers.image[asked]
        return _masks(self._decoder.output_upscaling, image, hyper, grid)[row, outputs]


def _masks(upscaling: Any, image: Tensor, hyper: Tensor, grid: tuple[int, int]) -> Tensor:  # noqa: ANN401
    """Upscale the image (B, N, C) and weigh its channels by hyper (B, K, c) -> (B, K, 4 h, 4 w).

    The transposed convolutions do not overlap: each is a linear map from a position to its 2 x 2 children. Channels
    stay last until the masks are there.
    """
    first, norm, activation, second, last_activation = upscaling
    x = activation(functional.layer_norm(_children(first, image), norm.weight.shape, norm.weight, norm.bias, norm.eps))
    x = last_activation(_children(second, x))
    masks = x.flatten(1, -2) @ hyper.transpose(1, 2)
    split = masks.view(len(image), *grid, 2, 2, 2, 2, -1).permute(0, 7, 1, 3, 5, 2, 4, 6)
    return split.reshape(len(image), -1, 4 * grid[0], 4 * grid[1])


def _children(convolution: Any, x: Tensor) -> Tensor:  # noqa: ANN401
    """A transposed 2 x 2 convolution of stride 2, positions before channels: (..., C) -> (..., 2, 2, c)."""
    weight: Tensor = convolution.weight.permute(2, 3, 1, 0).flatten(0, 2)
    return functional.linear(x, weight, convolution.bias.repeat(4)).unflatten(-1, (2, 2, -1))


def _two_way(transformer: Any, image: Tensor, places: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    """The package's TwoWayTransformer: image and places (1, N, C), tokens (B, T, C) -> tokens (B, T, C), (B, N, C)."""
    queries = tokens
    for layer in transformer.layers:
        if layer.skip_first_layer_pe:
            queries = layer.self_attn(q=queries, k=queries, v=queries)
        else:
            placed = queries + tokens
            queries = queries + layer.self_attn(q=placed, k=placed, v=queries)
        queries = layer.norm1(queries)
        placed_image = image + places
        queries = layer.norm2(
            queries + _from_image(layer.cross_attn_token_to_image, queries + tokens, placed_image, image)
        )
        queries = layer.norm3(queries + layer.mlp(queries))
        image = _add_from_tokens(layer.cross_attn_image_to_token, image, placed_image, queries + tokens, queries)
        image = layer.norm4(image)
    last = _from_image(transformer.final_attn_token_to_image, queries + tokens, image + places, image)
    return transformer.norm_final_attn(queries + last), image


def _from_image(attention: Any, tokens: Tensor, keys: Tensor, values: Tensor) -> Tensor:  # noqa: ANN401
    """Tokens (B, T, C) attend to the image: keys and values (B or 1, N, C) -> (B, T, C).

    The bias of the keys adds the same to all scores of a token, so the softmax does not see it.
    """
    count, length, _ = tokens.shape
    heads, width = attention.num_heads, attention.internal_dim // attention.num_heads
    asked = attention.q_proj(tokens).view(count, length, heads, width).transpose(1, 2) * width**-0.5
    if len(keys) < count:
        by_head = (heads, width, -1)
        of_keys = attention.k_proj(keys[0]).T.reshape(by_head)
        of_values = attention.v_proj(values[0]).T.reshape(by_head)
        scores = asked.transpose(0, 1).reshape(heads, -1, width) @ of_keys
        found = (scores.softmax(dim=-1) @ of_values.transpose(1, 2)).view(heads, count, length, width)
        return attention.out_proj(found.permute(1, 2, 0, 3).flatten(2))
    moved = (asked @ attention.k_proj.weight.view(heads, width, -1)).flatten(1, 2)
    seen = ((moved @ keys.transpose(1, 2)).softmax(dim=-1) @ values).view(count, heads, length, -1)
    found = seen @ attention.v_proj.weight.view(heads, width, -1).transpose(1, 2)
    return attention.out_proj(found.transpose(1, 2).flatten(2) + attention.v_proj.bias)


def _add_from_tokens(attention: Any, image: Tensor, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:  # noqa: ANN401
    """The image (B or 1, N, C) plus what it finds in the tokens: keys and values (B, T, C) -> (B, N, C)."""
    count, length, _ = keys.shape
    heads, width = attention.num_heads, attention.internal_dim // attention.num_heads
    asked, told = (
        projection(tensor).view(count, length, heads, width).transpose(1, 2)
        for projection, tensor in ((attention.k_proj, keys), (attention.v_proj, values))
    )
    asked = asked * width**-0.5
    if len(queries) < count:
        of_image = attention.q_proj(queries[0]).T.reshape(heads, width, -1)
        scores = asked @ of_image
    else:
        moved = (asked @ attention.q_proj.weight.view(heads, width, -1)).flatten(1, 2)
        offset = asked @ attention.q_proj.bias.view(heads, width, 1)
        scores = (moved @ queries.transpose(1, 2)).unflatten(1, (heads, length)) + offset
    shares = scores.softmax(dim=2).flatten(1, 2)
    # A head's shares sum to one, so its part of the bias can ride on its values.
    drawn = told @ attention.out_proj.weight.T.view(heads, width, -1) + attention.out_proj.bias / heads
    return torch.baddbmm(image.expand(count, -1, -1), shares.transpose(1, 2), drawn.flatten(1, 2))
