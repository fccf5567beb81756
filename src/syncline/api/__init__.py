"""What all endpoints share: errors, envelope, authentication, versions, paging."""
