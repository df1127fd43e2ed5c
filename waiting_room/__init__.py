"""The waiting room: a static page of three files, which `fluxgate waiting-room` or any CDN can serve."""
