"""The tabs of the page, one a file; see the package's own text for what a tab is."""
