"""From usage to dollars, computed when read."""
