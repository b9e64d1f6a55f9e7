"""What surrounds the routes: middleware, bodies, problems, content negotiation, the OpenAPI document."""
