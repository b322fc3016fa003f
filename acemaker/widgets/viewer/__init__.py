"""A halt to look into: atoms coloured by gamma that can be turned and clicked, or their static twin."""
