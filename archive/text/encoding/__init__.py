"""From bytes to characters, as browsers do it: labels, declarations, detection, decoders."""
