"""Pictures in SVG, drawn on the server: pure functions that return markup, without a style or script of their own."""
