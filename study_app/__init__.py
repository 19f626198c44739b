"""The human study: raters say which of two clips is more realistic; the votes become Tables II and III."""
