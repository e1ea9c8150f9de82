"""What must still be told to others: events, who asked for them, and how they are delivered."""
