"""The image network of CLIP ViT-B/16 as a plain PyTorch module, the other side of backbones_beside_pytorch.py: OpenAI's
names below `visual.`, PyTorch's fused attention, the position table resized to the grid (bilinear), every token normed and
projected. openai/CLIP itself takes 224 x 224 alone."""
import torch
from torch import nn
from torch.nn import functional


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.randn(3 * width, width) * width**-0.5)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, tokens):
        count, length, width = tokens.shape
        joined = functional.linear(tokens, self.in_proj_weight, self.in_proj_bias)
        q, k, v = joined.view(count, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.out_proj(mixed.transpose(1, 2).reshape(count, length, width))


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, tokens):
        hidden = self.c_fc(tokens)
        return self.c_proj(hidden * torch.sigmoid(1.702 * hidden))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attn, self.mlp = Attention(width, heads), Mlp(width)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, tokens):
        tokens = tokens + self.attn(self.ln_1(tokens))
        return tokens + self.mlp(self.ln_2(tokens))


class VisionTransformer(nn.Module):
    def __init__(self, width=768, heads=12, depth=12, patch=16, grid=14, embed_dim=512):
        super().__init__()
        self.grid = grid
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width) * width**-0.5)
        self.positional_embedding = nn.Parameter(torch.randn(1 + grid * grid, width) * width**-0.5)
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.proj = nn.Parameter(torch.randn(width, embed_dim) * width**-0.5)

    def positions(self, height, width):
        table = self.positional_embedding[1:].T.reshape(1, -1, self.grid, self.grid)
        resized = functional.interpolate(table, size=(height, width), mode="bilinear", align_corners=False)
        return torch.cat([self.positional_embedding[:1], resized[0].flatten(1).T])

    def forward(self, images):
        cells = self.conv1(images)
        tokens = cells.flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(tokens), 1, -1)
        tokens = torch.cat([first, tokens], dim=1) + self.positions(*cells.shape[2:])
        tokens = self.ln_pre(tokens)
        for block in self.transformer.resblocks:
            tokens = block(tokens)
        return self.ln_post(tokens) @ self.proj
