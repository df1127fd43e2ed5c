"""The measurements behind the six targets, one file each where they are measured apart."""
