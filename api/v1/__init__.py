"""Door 1: JSON REST for clinic front ends, one file a resource."""
