"""Released estimates to figures, tables, html and pdf; reads nothing about persons."""
