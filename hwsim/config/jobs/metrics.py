"""What a point of a sweep measures: the names that objectives and constraints may have."""

from __future__ import annotations

from difflib import get_close_matches

from hwsim.config.arrays import FAMILIES

__all__ = ["METRICS", "SILICON", "check_metric", "label_of"]

#: Metric -> what it is, with its unit; the label of its axis.
METRICS: dict[str, str] = {
    "cycles": "cycles of all layers",
    "cycles_per_image": "cycles per image",
    "time_us": "time of all layers (us)",
    "time_per_image_us": "time per image (us)",
    "area_mm2": "area with memories (mm2)",
    "memories_mm2": "area of the memories (mm2)",
    "time_area": "time x area (us mm2)",
    "energy_uj": "energy of all layers (uJ)",
    "energy_per_image_uj": "energy per image (uJ)",
    "mhz": "clock (MHz)",
    "multipliers": "multipliers (count)",
    "port_bits": "bits of the three data ports",
    "weight_port_bits": "bits of the weight port",
    "act_port_bits": "bits of the activation port",
    "ofmap_port_bits": "bits of the port of partial sums",
    "utilization": "utilization (useful MACs per multiplier and cycle)",
    "macs": "dense work (MACs)",
    "outside_macs": "work outside the array, in floating point (MACs)",
    "outside_share": "share of the MACs outside the array, in floating point (fraction)",
    "useful_macs": "MACs with both operands non-zero (MACs)",
    "nonzeros": "non-zero weights (count)",
    "traffic_bytes": "data through the ports, or over the bus of a machine (bytes)",
    "traffic_weight_bytes": "weights through the port or over the bus (bytes)",
    "traffic_act_bytes": "activations through the port or over the bus (bytes)",
    "traffic_ofmap_bytes": "results through the port or over the bus (bytes)",
    "bits": "stored weights (bits)",
    "bits_values": "weight values (bits)",
    "bits_indices": "indices (bits)",
    "bits_pointers": "pointers (bits)",
    "bits_padding": "padding (bits)",
    "accuracy_percent": "accuracy on the test images (per cent)",
    "accuracy_heldout_percent": "accuracy on the training images held out (per cent)",
}

#: Metrics that need a technology.
SILICON = (
    "time_us", "time_per_image_us", "area_mm2", "memories_mm2", "time_area", "energy_uj",
    "energy_per_image_uj", "mhz",
)  # fmt: skip


def label_of(metric: str) -> str:
    """Label of an axis: what a metric is, with its unit."""
    return METRICS.get(metric, f"{metric} (cycles)")


def check_metric(section: str, name: str) -> None:
    """Refuse, with ``ValueError``, a name that is no metric and no cause of any family."""
    causes = {
        f"{group}.{cause.name}"
        for family in FAMILIES.values()
        for group, members in family.CAUSES.items()
        for cause in members
    }
    known = [*METRICS, *sorted(causes)]
    if name not in known:
        close = get_close_matches(name, known, n=3, cutoff=0.4) or list(METRICS)
        raise ValueError(f"{section}.{name}: must be a metric, such as {', '.join(close)}")
