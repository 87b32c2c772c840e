"""What each rule of the workflow calls, one module per stage."""
