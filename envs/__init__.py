"""The environments that come with pgfast, one file per family; loaded by path, as a user's own file is."""
