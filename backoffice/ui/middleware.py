def RequestContext(get_response):
    return get_response
