"""The demo's shop: services as strangers write them, some of which do the wrong thing. They judge nothing."""
