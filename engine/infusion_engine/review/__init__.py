"""Pictures for a person to judge a result by."""
