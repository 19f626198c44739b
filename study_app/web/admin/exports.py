"""Downloads of a study: the file for paying raters, and all files in one archive created on request."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import streamlit as st

from study_app.pipeline import export
from study_app.store.study import OpenStudy


def archive(study: OpenStudy) -> bytes:
    """Everything that `bench study export` writes, as a zip archive."""
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in export.export(study, Path(folder)):
            packed.write(path, path.relative_to(folder))
    return out.getvalue()


def show(study: OpenStudy, met: bool) -> None:
    """Show the downloads: the file for paying raters, and everything."""
    st.header("For paying raters")
    st.write("Sessions, codes and minutes. The file contains no answers.")
    st.download_button(
        "Download raters.csv",
        lambda: export.raters_csv(study.raters()),
        file_name="raters.csv",
        mime="text/csv",
        on_click="ignore",
    )
    st.header("Everything")
    st.write(
        "All files of `bench study export` in one archive: votes, results, tables, raters, screens and answers. "
        "Creating it can take some seconds."
    )
    if not met:
        st.info("Votes are still missing. The archive contains outcomes, and exporting it is recorded.")
    name = "".join(letter if letter.isalnum() else "-" for letter in study.name)
    st.download_button(
        "Download all files", lambda: archive(study), file_name=f"{name}.zip", mime="application/zip",
        type="primary", on_click="ignore",
    )  # fmt: skip
