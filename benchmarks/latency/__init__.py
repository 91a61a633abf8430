"""What one decision costs on this machine: every back end and model file, stage by stage."""
