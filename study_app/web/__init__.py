"""The web app that raters and the admin see in a browser."""
