"""What is computed: numpy and scipy alone."""
