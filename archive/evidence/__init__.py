"""What shows that bytes existed by a date: claims of records, and what others attest."""
