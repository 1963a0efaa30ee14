"""What applications use: creating jobs and working them off."""
