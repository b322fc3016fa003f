"""Labels are computed here: jobs, the backends and workers that compute them, and the collector of their labels."""
