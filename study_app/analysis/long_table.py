"""Votes as a long table for other programs, its dictionary, and an R script with a crossed logistic model.

For each comparison, the model has raters and source videos as random effects: `glmer(first ~ 1 + (1|rater) +
(1|video))`. It is a sensitivity analysis that supplements POS, not the primary test. With few raters it reports
differences that do not exist.
"""

from __future__ import annotations

import pandas as pd

from study_app.analysis.preference_scores import trials
from study_app.design.questions import TIE

#: Frozen column names of `votes_long.csv`, with their meanings.
LONG_DICTIONARY = {
    "comparison": "the two methods, FIRST over SECOND",
    "first_method": "method that POS counts",
    "second_method": "method that it is compared with",
    "clip": "clip that both continue",
    "video": "source video of the clip; cluster",
    "rater": "pseudonym of the rater, as in raters.csv; cluster",
    "trial": "number of the vote among the rater's counted votes, from 1",
    "first": "1: the first method was chosen; 0: the second; empty: a tie",
    "tie": "1: the rater could not tell; else 0",
    "first_on_left": "1: the first method was on the left (or above); else 0",
    "response_ms": "milliseconds from the beginning of the pair to the answer",
    "simulated": "1: by a synthetic rater; else 0",
}
DICTIONARY_COLUMNS = ["column", "meaning"]
R_SCRIPT = """# The crossed logistic model of each comparison, as a sensitivity analysis beside POS.
# Needs R with the package lme4. Run it in the folder of the export: Rscript crossed_logistic.R
# With few raters (below 12) the test of this model finds differences that are not there; POS's test does not.
library(lme4)
text <- c(clip = "character", video = "character", rater = "character")
votes <- read.csv("votes_long.csv", na.strings = "", colClasses = text)
votes <- votes[!is.na(votes$first), ]
rows <- lapply(split(votes, votes$comparison), function(v) {
  fit <- tryCatch(
    glmer(first ~ 1 + (1 | rater) + (1 | video), data = v, family = binomial),
    error = function(e) NULL
  )
  if (is.null(fit)) return(NULL)
  b <- fixef(fit)[[1]]
  se <- sqrt(vcov(fit)[1, 1])
  sd <- as.data.frame(VarCorr(fit))
  data.frame(
    comparison = v$comparison[1], votes = nrow(v), raters = length(unique(v$rater)), videos = length(unique(v$video)),
    log_odds = b, se = se, low = b - 1.96 * se, high = b + 1.96 * se, p = 2 * pnorm(-abs(b / se)),
    rater_sd = sd$sdcor[sd$grp == "rater"], video_sd = sd$sdcor[sd$grp == "video"], singular = isSingular(fit)
  )
})
table <- do.call(rbind, rows)
if (is.null(table)) stop("No comparison has votes that the model can be fitted to.")
table$p_holm <- p.adjust(table$p, "holm")
write.csv(table, "crossed_logistic.csv", row.names = FALSE)
print(table, row.names = FALSE, digits = 3)
"""


def long_table(votes: pd.DataFrame) -> pd.DataFrame:
    """Counted votes, including ties, one per row, with the columns of `LONG_DICTIONARY`."""
    counting = trials(votes)
    tie = counting["chosen"] == TIE
    first = (counting["chosen"] == counting["first"]).astype("Int64").mask(tie)
    columns = {
        "comparison": counting["comparison"],
        "first_method": counting["first"],
        "second_method": counting["second"],
        "clip": counting["clip"],
        "video": counting["video"],
        "rater": counting["rater"],
        "trial": counting.groupby("rater", sort=False).cumcount() + 1,
        "first": first,
        "tie": tie.astype(int),
        "first_on_left": (counting["left"] == counting["first"]).astype(int),
        "response_ms": counting["response_ms"],
        "simulated": counting["simulated"].astype(int),
    }
    return pd.DataFrame(columns, columns=list(LONG_DICTIONARY))


def dictionary() -> pd.DataFrame:
    """Table for `votes_long_dictionary.csv`: the meaning of each column."""
    return pd.DataFrame(list(LONG_DICTIONARY.items()), columns=DICTIONARY_COLUMNS)
