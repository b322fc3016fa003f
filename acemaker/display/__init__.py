"""How records look: text, HTML and static figures."""
