"""What raters and the admin see in a browser."""
