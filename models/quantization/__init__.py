"""Weight codes and scales: from float weights to the integers of a checkpoint."""
