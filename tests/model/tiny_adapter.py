"""Trains a LoRA adapter with PEFT on the tiny random model: it learns a few letters that follow one another.

PEFT is imported by who trains: it takes seconds, in every process that collects tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peft import PeftModel

# After anything else comes the first letter, and after the last the line's end.
LEARNED = "abdefgh"
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def untrained(base: Path, **config: Any) -> PeftModel:
    """PEFT's model over a base folder; `config` is LoraConfig's."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    settings = {"r": 8, "lora_alpha": 16, "target_modules": [*LINEAR, "lm_head"], **config}
    return get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(**settings))


def train(model: PeftModel, n_steps: int) -> PeftModel:
    """Teach it which token follows which, whatever stands before."""
    import torch

    following = torch.full((272,), ord(LEARNED[0]))
    for letter, after in zip(LEARNED, LEARNED[1:] + "\n", strict=True):
        following[ord(letter)] = ord(after)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    generator = torch.Generator().manual_seed(5)
    letters = torch.tensor([ord(letter) for letter in LEARNED])
    for _ in range(n_steps):
        ids = torch.randint(0, 272, (8, 48), generator=generator)
        ids[:, ::2] = letters[torch.randint(0, len(letters), (8, 24), generator=generator)]
        logits = model(input_ids=ids).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), following[ids].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def make_tiny_adapter(base: Path, folder: Path, n_steps: int = 120, **config: Any) -> PeftModel:
    """Train an adapter and save it as PEFT does; returns the trained model."""
    model = train(untrained(base, **config), n_steps)
    model.save_pretrained(folder)
    return model
