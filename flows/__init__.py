"""What a person or a schedule triggers: order and dependencies of the steps, no I/O."""
