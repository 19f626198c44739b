"""`bench score`: third-party videos against real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli_options import (
    Axes,
    BestOf,
    Ci,
    ClipFrames,
    Clips,
    DatasetName,
    Features,
    FrameSelection,
    Json,
    Metrics,
    Offline,
    Out,
    Primary,
    Samples,
    Scored,
    ScoredSize,
    ScoringRoot,
    ValueRange,
    Workers,
    print_folder,
    print_scores,
    scoring_root,
    words,
)
from bench.registry import DEFAULT_DATASET


def score(
    predictions: Scored,
    out: Out,
    dataset: DatasetName = DEFAULT_DATASET,
    data_root: ScoringRoot = None,
    resolution: ScoredSize = None,
    metrics: Metrics = "",
    primary: Primary = "",
    frames: FrameSelection = "",
    context: Annotated[
        int | None,
        typer.Option(min=0, help="Number of given frames, which are not scored: 0 is --frames all, 1 is future."),
    ] = None,
    clips: Clips = None,
    clip_length: Annotated[
        int | None, typer.Option(min=0, help="Number of frames per clip to read. Default: all.")
    ] = None,
    sampling: Annotated[
        str | None, typer.Option(help="Which frames to read: first (default), or random by the clip's ID.")
    ] = None,
    clip_frames: ClipFrames = None,
    stride: Annotated[int | None, typer.Option(min=1, help="Read every N-th frame of a clip.")] = None,
    crop: Annotated[
        str | None, typer.Option(help="squash frames to a square (default), or crop the centre square: centre.")
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Protocol of a paper: stylegan-v, tats, cd-fvd or mdgan. Further flags override it."),
    ] = None,
    unpaired: Annotated[
        bool | None, typer.Option("--unpaired", help="Compare whole sets of any file names and sizes.")
    ] = None,
    mirror: Annotated[
        bool | None, typer.Option("--mirror", help="Unpaired: add a mirrored copy of every real clip.")
    ] = None,
    reference_split: Annotated[
        str | None, typer.Option(help="Unpaired: real videos of the dataset: test (default), train or all.")
    ] = None,
    per_video: Annotated[
        int | None, typer.Option(min=0, help="Unpaired: windows per real video; 0 for all. Default: 1.")
    ] = None,
    generated: Annotated[
        int | None,
        typer.Option(min=1, help="Unpaired: videos per method. Default: the size of the smallest folder."),
    ] = None,
    draws: Annotated[
        int | None, typer.Option(min=1, help="Unpaired: repeat with other windows and clips; prints mean ± deviation.")
    ] = None,
    horizon: Annotated[
        str, typer.Option(help="Curves of FVD, KVD and FID over the first frames, as in 10,16,24,32.")
    ] = "",
    windows: Annotated[str, typer.Option(help="The same curves over windows, LENGTH:STEP, as in 16:8.")] = "",
    samples: Samples = None,
    best: BestOf = 1,
    allow_partial: Annotated[
        bool, typer.Option(help="Score the clips that exist; this changes the protocol ID.")
    ] = False,
    reference: Annotated[Path | None, typer.Option(help="Real videos in place of a dataset: folder or array.")] = None,
    axes: Axes = "",
    value_range: ValueRange = "",
    features: Features = None,
    shard: Annotated[str, typer.Option(help="Only compute the scores of part I/N of the clips, as in 3/16.")] = "",
    workers: Workers = None,
    keep_clips: Annotated[
        bool, typer.Option("--keep-clips", help="Write the scored frames, so that the HTML report plays the clips.")
    ] = False,
    ci: Ci = False,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Score third-party videos against the real test clips, or against another folder."""
    from bench.data.clip_arrays import stated
    from bench.data.clips import FRAMES
    from bench.data.dataset import Dataset
    from bench.pipeline.score import fill_shard, score_folders
    from bench.scoring.horizon import horizon_of, windows_of
    from bench.scoring.named_protocols import plan_of

    plan = plan_of(
        protocol,
        {
            "resolution": resolution,
            "metrics": words(metrics) or None,
            "primary": primary or None,
            "frames": frames or None,
            "context": context,
            "count": clips,
            "clip_length": clip_length,
            "sampling": sampling,
            "stride": stride,
            "crop": crop,
            "unpaired": unpaired,
            "mirror": mirror,
            "reference_split": reference_split,
            "per_video": per_video,
            "generated": generated,
            "draws": draws,
            "horizon": horizon_of(horizon),
            "windows": windows_of(windows),
            "samples": samples,
            "best": best,
            "allow_partial": allow_partial,
            "workers": workers,
            "offline": offline,
            "features": features,
        },
    )
    data = Dataset(dataset, scoring_root(data_root, reference), clip_frames or FRAMES)
    asked: dict[str, Any] = {"dataset": data, "reference": reference, "said": stated(axes, value_range)}
    if shard:
        print(fill_shard(predictions, out, plan, shard, **asked))
        return
    table = score_folders(predictions, out, plan, ci=ci, keep=keep_clips, **asked)
    if as_json:
        print_folder(out)
    else:
        print_scores(table, out)
