"""What a chart lists of the patient's health: allergies, medications, diagnoses, interactions."""
