"""Pictures of chains and edges as text: rows to geometry to SVG, HTML or Mermaid. No I/O, no questions here."""
