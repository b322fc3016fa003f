"""How values are shown: summaries as text and HTML, the base of all records, and the registry of their figures."""
