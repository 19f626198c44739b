"""Tables, figures and the page, all made from the stored scores and predictions of a run folder."""
