"""Tables, figures and the HTML report, all generated from a run folder's stored scores and predictions."""
