"""ArgoCD's ApplicationSets: what they make of a commit, and the element that one more cluster needs."""
