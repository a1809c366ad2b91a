"""The API of MicroService: spec, status, platform settings, rules and the CRD made of them."""
