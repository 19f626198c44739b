"""Results reported in the MD-GAN paper (Xiong et al., CVPR 2018): Tables II, III and IV."""

from __future__ import annotations

from bench.interface import PaperTables

PAPER = PaperTables(
    preference_tables={
        "table2": (
            "Preference opinion scores against other models and real clips",
            (
                ("MD-GAN over VGAN", "mdgan-2", "vgan"),
                ("MD-GAN over RNN-GAN", "mdgan-2", "rnngan"),
                ("VGAN over Real", "vgan", "real"),
                ("RNN-GAN over Real", "rnngan", "real"),
                ("MD-GAN over Real", "mdgan-2", "real"),
            ),
        ),
        "table3": (
            "Preference opinion scores of the two stages of MD-GAN",
            (
                ("Stage II over Stage I", "mdgan-2", "mdgan-1"),
                ("Stage II over Real", "mdgan-2", "real"),
                ("Stage I over Real", "mdgan-1", "real"),
            ),
        ),
    },
    preferences={
        ("mdgan-2", "vgan"): 92,
        ("mdgan-2", "rnngan"): 97,
        ("vgan", "real"): 5,
        ("rnngan", "real"): 1,
        ("mdgan-2", "real"): 16,
        ("mdgan-2", "mdgan-1"): 70,
        ("mdgan-1", "real"): 8,
    },
    metrics=("mse", "psnr", "ssim"),
    measured={
        "vgan": (0.0958, 11.5586, 0.6035),
        "rnngan": (0.1849, 7.7988, 0.5143),
        "mdgan-1": (0.0530, 14.8982, 0.7624),
        "mdgan-2": (0.0422, 16.1951, 0.8019),
    },
)
