"""What others attest about files and records: time stamps, signatures, seals; and which sources must not count."""
