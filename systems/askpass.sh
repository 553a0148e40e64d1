#!/bin/sh
# Answers git's questions for a user name and a password, from the environment of this one git process.
# Only for the server that was asked for: a redirect to another one gets no answer.
case $1 in
  *"//$GITOPS_SERVER'"* | *"@$GITOPS_SERVER'"*) ;;
  *) exit 1 ;;
esac
case $1 in
  Username*) echo x-access-token ;;
  Password*) printf '%s\n' "$GITOPS_TOKEN" ;;
  *) exit 1 ;;
esac
