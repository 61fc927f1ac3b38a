"""Torture: damaged inputs, kills and random configurations, by the ten thousand and resumable.

``make torture`` runs all of it; the tests beside the modules run a short form.
"""
