"""The model gateway: what every skill may call and spend, whatever product keeps to it.

`plan` says it in our own words, `litellm` in the chosen product's (decision 54), `reconcile` finds
what differs between the two, `objects` are the pods.
"""
