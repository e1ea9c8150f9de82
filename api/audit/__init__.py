"""What was done: the trail of every read and write of a patient's data, append only."""
