"""The objects of Vault that runs deal with, one file each, and what all of them have in common.

A runbook is a catalogue of these, in the order in which its steps write them. Preflight's rows, the plan, the
printed policy and the steps all go through the catalogue.
"""

from runbook.objects.alias import Alias
from runbook.objects.config import Config
from runbook.objects.group import Group
from runbook.objects.mount import Mount
from runbook.objects.policy import Policy
from runbook.objects.role import Role
from runbook.objects.vault_object import Seen, VaultObject

__all__ = ["Alias", "Config", "Group", "Mount", "Policy", "Role", "Seen", "VaultObject"]
