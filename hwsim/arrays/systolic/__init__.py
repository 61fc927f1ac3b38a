"""The systolic core of dense, nm and pattern: dataflows, folds, skew, streams."""
