"""Sets on disk and made up, a file a kind; `catalogue` names the known, `layouts` finds them."""
