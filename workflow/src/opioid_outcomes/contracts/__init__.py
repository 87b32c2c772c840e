"""The tables that stages hand to each other: columns, types, units and data-quality caveats."""
