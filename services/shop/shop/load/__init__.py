"""`shop load`: a bounded open-loop load, measured from the moment each arrival is due."""
