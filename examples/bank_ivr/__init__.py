"""Asha Bank's phone line: a menu, a PIN, a balance spoken from recorded words."""
