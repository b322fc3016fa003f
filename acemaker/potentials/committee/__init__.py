"""Committees and other second opinions on the forces, evaluated and trained in processes of their own."""
