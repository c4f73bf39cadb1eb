"""Tools for authors of addons: begin one, look for its faults, render it, try it on a cluster."""
