"""What callflow is tested with, and what its users test their flows with."""
