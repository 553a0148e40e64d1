"""A Kubernetes (and OpenShift) API server for the sandbox and the tests.

It speaks the real protocol over TLS, denies by default, signs and checks real tokens, evaluates real roles
and bindings, and knows nothing of the pipeline. Its tests run unchanged against a real API server.

Served: what `kinds` lists, and what CustomResourceDefinitions add; get, list, create, update, server-side
apply and delete, which is all that the pipeline, the agent, Vault and `kubectl apply --server-side` ask.
Where it is simpler than a real server:

- objects are in memory only; the pages of a list show what is there when they are read;
- server-side apply keeps no `managedFields`, and detects conflicts between appliers only;
- no garbage collection by owner references, no pods, nothing ever runs a Deployment;
- no escalation check when roles are written, no aggregated ClusterRoles, no admission plugins but the
  life cycle of namespaces and ServiceAccounts;
- schemas of custom resources are enforced without CEL rules and formats; conversion is by name only;
- no watch, no impersonation, no dry run, no patch but apply, no next page of a long list;
- bodies are JSON or YAML, answers JSON; no protobuf, no tables, no OpenAPI document: kubectl needs
  `--validate=false`, and its commands that write protobuf (`create token`, `auth`) are refused;
- a revoked token is refused at once: a real server may accept it for 10 seconds more (`verdict_lifetime`).
"""

from sandbox.kubernetes_api.server import KubernetesApi, kubeconfig

__all__ = ["KubernetesApi", "kubeconfig"]
