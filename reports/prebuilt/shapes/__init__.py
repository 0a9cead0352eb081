"""What several families build on."""
