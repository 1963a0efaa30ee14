"""Where Portico meets a technology."""
