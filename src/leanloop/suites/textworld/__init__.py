"""Text games that TextWorld generates from a seed."""
