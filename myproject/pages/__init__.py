"""Pages that are kept in the database and written in the admin."""
