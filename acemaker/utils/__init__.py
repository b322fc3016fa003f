"""General helpers, independent of simulations: files, checksums, dotted paths, interrupts."""
