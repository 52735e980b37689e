"""WebUI's API on AWS, a stack option: a function that draws with each request's own key, through the API's function."""
